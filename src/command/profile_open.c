/* layer 7.4: profile open: a profile by the name of a process, a core or a
 * file; contract in profile.h */
#include <string.h>

#include "command/command.h"
#include "command/profile_file.h"

/* What profile_form=text writes. */
static bool is_text_form(const char *name)
{
	static const char head[] = "heap profile:";
	char line[sizeof(head)] = "";
	FILE *file = fopen(name, "re");
	bool is = file && fgets(line, sizeof(line), file) &&
		  !strcmp(line, head);

	if (file)
		fclose(file);
	return is;
}

/* As command_open(); a file that is no core could have been a profile. */
static bool process_or_core(struct image *image, struct root *root,
			    const char *name)
{
	if (image_open(image, name) && root_find(image, root))
		return true;
	command_fails("%s%s", image->error,
		      image->core && !image->segments ? ", and no profile" :
							"");
	image_close(image);
	return false;
}

bool profile_open(const char *name, struct profile *profile)
{
	struct image image;
	struct root root;
	bool done;

	if (profile_file_is(name))
		return profile_file_read(name, profile);
	if (is_text_form(name))
		return !command_fails("%s: text, which google-pprof reads: "
				      "this command reads profile_form=pprof",
				      name);
	if (!process_or_core(&image, &root, name))
		return false;
	done = profile_read(&image, &root, profile);
	if (!done)
		command_fails("%s", image.error);
	image_close(&image);
	return done;
}
