/* base_rss: a program that does nothing, and the RSS it does it with
 *
 * One small block, then its RSS.
 */
#include "figure.h"

int main(void)
{
	char *volatile block = malloc(100);
	double rss = figure_rss();

	free(block);
	printf("base_rss: %.2f MiB\n", rss);
	return 0;
}
