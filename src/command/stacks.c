/* layer 7.5: stacks: lists of stacks as text */
#include "command/stacks.h"

#include <stdlib.h>
#include <string.h>

void stack_put(FILE *out, const struct profile *profile,
	       const struct stack *stack, size_t most)
{
	char name[NAME_SIZE];
	size_t i;

	for (i = 0; i < stack->nr_frames && i < most; i++) {
		profile_name(profile, &stack->frames[i], name, sizeof(name));
		fprintf(out, "              %s\n", name);
	}
	if (i < stack->nr_frames)
		fprintf(out, "              and %zu more\n",
			stack->nr_frames - i);
	if (!stack->nr_frames)
		fprintf(out, "              (no stack)\n");
}

char *stack_key(const struct profile *profile, const struct stack *stack)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < stack->nr_frames; i++) {
		const struct frame *f = &stack->frames[i];
		const struct mapping *m =
			f->mapping ? &profile->mappings[f->mapping - 1] : NULL;

		if (m)
			fprintf(out, "%s+%#lx;", m->path,
				f->address - m->begin + m->offset);
		else
			fprintf(out, "%#lx;", f->address);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

double percent(int64_t part, int64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}
