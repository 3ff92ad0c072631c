/* build: -fno-plt -Wl,-z,now */
/* A library with a function that is chosen at load time, by a resolver that
 * allocates: while this library is relocated, perhaps before malloc's own is.
 * Without PLT its call of malloc is relocated before; for api_ifunc.c */
#include "expect.h"

int ifunc_number(void);
char *ifunc_block(void);
int ifunc_number_by_pointer(void);

static char *block;
static char *blocks[50];

/* operator new(nothrow) and sized delete, where the malloc has them. */
extern void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag)
	__attribute__((weak));
extern void _ZdlPvm(void *p, size_t size) __attribute__((weak));

static void use_operators(void)
{
	if (!_ZnwmRKSt9nothrow_t || !_ZdlPvm)
		return;
	for (int i = 0; i < 50; i++)
		blocks[i] = _ZnwmRKSt9nothrow_t((size_t)i * 100, NULL);
	for (int i = 0; i < 50; i++)
		_ZdlPvm(blocks[i], (size_t)i * 100);
}

static int number(void)
{
	return 42;
}

__attribute__((used)) static int (*resolve(void))(void)
{
	block = malloc(100);
	for (int i = 0; i < 100 && block; i++)
		block[i] = (char)i;
	for (int i = 0; i < 50; i++)
		blocks[i] = malloc((size_t)i * 100);
	for (int i = 0; i < 50; i++)
		free(blocks[i]);
	use_operators();
	return block ? number : 0;
}

int ifunc_number(void) __attribute__((ifunc("resolve")));

static int (*volatile pointer)(void) = ifunc_number;

int ifunc_number_by_pointer(void)
{
	return pointer();
}

char *ifunc_block(void)
{
	return block;
}
