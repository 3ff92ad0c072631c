/* layer 7.1: image error: why an image cannot be read; contract in image.h */
#include <stdarg.h>
#include <stdio.h>

#include "command/image.h"

bool image_fails(struct image *image, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(image->error, sizeof(image->error), format, args);
	va_end(args);
	return false;
}
