/* layer 4.5: FDE: which description in .eh_frame is an address's; contract in
 * fde.h */
#include "sample/fde.h"

#include <link.h>

#include "base/atomic.h"
#include "sample/lasting.h"
#include "system/sealed.h"

#define HEAD_VERSION 1
#define HEAD_SORTED (CODE_DATA_RELATIVE | 0x0b) /* pairs of 4 bytes */
#define HEAD_USUAL 0x3b031b01 /* version; 4 bytes from here, 4 bytes; those */
#define PAIR 8
#define HINTS_SHIFT 54 /* of a mixed address: to the hint's number */
#define MIX UINT64_C(0x9e3779b97f4a7c15)

static _Atomic(uint32_t) hints[1 << (64 - HINTS_SHIFT)]; /* atomic: hints */

/* libc's struct dl_find_object, the longer of its forms. */
struct found {
	unsigned long long flags;
	void *begin, *end;
	struct link_map *object;
	void *eh_frame; /* the head of the sorted table */
	unsigned long long reserved[9];
};

static bool object_find(uint64_t pc, struct found *found)
{
	int (*find)(void *, void *) = sealed.at.find_object;

	return find && !find((void *)pc, found);
}

bool fde_object(uint64_t pc, uint64_t *begin, uint64_t *end)
{
	struct found found;

	if (!object_find(pc, &found))
		return false;
	*begin = (uintptr_t)found.begin;
	*end = (uintptr_t)found.end;
	return true;
}

bool fde_in_file(uint64_t pc, const char **name, uint64_t *address)
{
	struct found found;

	if (!object_find(pc, &found) || !found.object)
		return false;
	*name = found.object->l_name ? found.object->l_name : "";
	*address = pc - found.object->l_addr;
	return true;
}

/* Reads a number of a pair. */
static int64_t pair_read(const unsigned char *at)
{
	int32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

/* Whether that pair is the last one that begins at pc or before. */
static bool pair_fits(const unsigned char *pairs, uint64_t nr, uint64_t i,
		      int64_t pc)
{
	return i < nr && pair_read(pairs + PAIR * i) <= pc &&
	       (i + 1 == nr || pair_read(pairs + PAIR * (i + 1)) > pc);
}

/* Returns the number of the last pair that begins at pc or before; nr: none
 * does. */
static uint64_t pair_search(const unsigned char *pairs, uint64_t nr, int64_t pc)
{
	uint64_t low = 0, high = nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (pair_read(pairs + PAIR * middle) <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : nr;
}

/* Finds the pair of an address, by a hint first; NULL: none. */
static const unsigned char *pair_find(const unsigned char *pairs, uint64_t nr,
				      int64_t pc)
{
	_Atomic(uint32_t) *hint = &hints[(uint64_t)pc * MIX >> HINTS_SHIFT];
	uint64_t i = load_relaxed(hint); // hint: the pair tells

	if (unlikely(!pair_fits(pairs, nr, i, pc))) {
		i = pair_search(pairs, nr, pc);
		store_relaxed(hint, (uint32_t)i); // hint: the pair tells
	}
	return i < nr ? pairs + PAIR * i : NULL;
}

/* Finds the pairs behind the head, and how many; NULL: it is written as no
 * linker does. */
static const unsigned char *pairs_find(const unsigned char *head, uint64_t *nr)
{
	struct code code = { head + 4, head + 4 + 16, false };

	if (head[0] != HEAD_VERSION || head[3] != HEAD_SORTED)
		return NULL;
	code_pointer(&code, head[1], (uintptr_t)head);
	*nr = code_pointer(&code, head[2], (uintptr_t)head);
	return code.bad ? NULL : code.at;
}

/* Finds them by one look, in the form that GNU's linkers and LLVM's write. */
static force_inline const unsigned char *pairs_of(const unsigned char *head,
						  uint64_t *nr)
{
	uint32_t form, count;

	__builtin_memcpy(&form, head, 4);
	__builtin_memcpy(&count, head + 8, 4);
	*nr = count;
	return likely(form == HEAD_USUAL) ? head + 12 : pairs_find(head, nr);
}

/* Finds the address of the description; NULL: none. */
static const unsigned char *entry_find(const unsigned char *head, uint64_t pc)
{
	const unsigned char *pairs, *pair;
	uint64_t nr;

	pairs = pairs_of(head, &nr);
	if (!pairs)
		return NULL;
	pair = pair_find(pairs, nr, (int64_t)(pc - (uintptr_t)head));
	return pair ? head + pair_read(pair + 4) : NULL;
}

/* Opens what one length bounds; the 64-bit form is none. */
static struct code entry_open(const unsigned char *at)
{
	struct code code = { at, at + 4, false };
	uint32_t length = (uint32_t)code_bytes(&code, 4);

	code.end = code.at + (length < 0xfffffff0 ? length : 0);
	code.bad = code.end == code.at;
	return code;
}

/* Reads what one letter of the augmentation says. */
static void letter_read(struct fde *fde, struct code *code, char letter)
{
	unsigned encoding;

	switch (letter) {
	case 'R':
		fde->encoding = (unsigned)code_bytes(code, 1);
		break;
	case 'P':
		encoding = (unsigned)code_bytes(code, 1);
		code_format(code, encoding);
		break;
	case 'L':
		code_bytes(code, 1);
		break;
	case 'S':
		fde->interrupted = true;
		break;
	case 'B': /* signed by the other key */
	case 'G': /* memory with tags */
		break;
	default:
		code->bad = true;
	}
}

/* Reads the common part (CIE). */
static bool common_read(struct fde *fde, const unsigned char *at)
{
	struct code code = entry_open(at), data;
	const unsigned char *letters;
	unsigned version;
	uint64_t n;

	code_bytes(&code, 4);
	version = (unsigned)code_bytes(&code, 1);
	letters = code.at;
	while (code_bytes(&code, 1))
		;
	if (code.bad || (version != 1 && version != 3) || letters[0] != 'z')
		return false;
	fde->code_align = code_uleb(&code);
	fde->data_align = code_sleb(&code);
	fde->ra = (unsigned)(version == 1 ? code_bytes(&code, 1) :
					    code_uleb(&code));
	n = code_uleb(&code);
	if (code.bad || n > (uint64_t)(code.end - code.at))
		return false;
	data = (struct code){ code.at, code.at + n, false };
	while (*++letters)
		letter_read(fde, &data, (char)*letters);
	fde->initial = (struct code){ code.at + n, code.end, false };
	return !data.bad;
}

static bool own_read(struct fde *fde, const unsigned char *at, uint64_t pc)
{
	struct code code = entry_open(at);
	const unsigned char *field = code.at;
	uint32_t back = (uint32_t)code_bytes(&code, 4);
	uint64_t size, n;

	if (code.bad || !back || !common_read(fde, field - back))
		return false;
	fde->begin = code_pointer(&code, fde->encoding, (uintptr_t)fde->base);
	size = code_format(&code, fde->encoding);
	n = code_uleb(&code);
	if (code.bad || n > (uint64_t)(code.end - code.at) ||
	    pc - fde->begin >= size)
		return false;
	fde->own = (struct code){ code.at + n, code.end, false };
	return true;
}

static bool place_move(uint64_t pc, struct fde_place *place)
{
	struct found found;

	if (!object_find(pc, &found) || !found.eh_frame)
		return false;
	place->base = found.eh_frame;
	place->begin = (uintptr_t)found.begin;
	place->end = (uintptr_t)found.end;
	place->lasting = lasting_has(found.object);
	return true;
}

bool fde_find(uint64_t pc, struct fde_place *place)
{
	if (pc - place->begin >= place->end - place->begin &&
	    !place_move(pc, place))
		return false;
	place->entry = entry_find(place->base, pc);
	return place->entry;
}

bool fde_read(uint64_t pc, const struct fde_place *place, struct fde *fde)
{
	*fde = (struct fde){ .base = place->base };
	return own_read(fde, place->entry, pc);
}
