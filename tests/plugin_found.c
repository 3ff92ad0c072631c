/* A library that only plugin_runpath's RUNPATH finds; for api_dlopen.c */
int found_number(void);

int found_number(void)
{
	return 4711;
}
