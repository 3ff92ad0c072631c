/* layer 5.1: footer: what stands behind a block's bytes; contract in footer.h
 */
#include "front/footer.h"

#include "sample/sampler.h"
#include "sample/stack.h"
#include "slab/slab.h"
#include "system/config.h"
#include "system/peek.h"

#define MIX_FILL 0xbf58476d1ce4e5b9
#define SLACK_MOST 128 /* bytes behind the size asked for that are filled */
#define FILL_MOST 1024 /* bytes of objects that are larger than a page */
#define FOOTER_SHORT CANARY_SIZE
#define FOOTER_LONG (2 * CANARY_SIZE)
#define STACK_BITS 24

_Static_assert(NR_FORMS <= 1 << CANARY_FORM_BITS,
	       "a footer has bits for all forms");

static _Atomic(uint32_t) options_known; /* atomic: hint, they never change */

static cold bool options_find(void)
{
	if (!config_start())
		return false;
	store_relaxed(&options_known, 1);
	return true;
}

static force_inline size_t footer_size(void)
{
	if (unlikely(!load_relaxed(&options_known)) && !options_find())
		return FOOTER_LONG;
	if (config_checks_full())
		return FOOTER_LONG;
	if (config.hardened || config.usable == USABLE_REQUESTED)
		return FOOTER_SHORT;
	return 0;
}

size_t block_footer_size(void)
{
	return footer_size();
}

size_t block_footer_of(const struct block *block)
{
	return block->kind == BLOCK_GUARDED ? 0 : footer_size();
}

static _Atomic(uint64_t) *footer_word(const void *pointer,
				      const struct block *block)
{
	return (_Atomic(uint64_t) *)(void *)((char *)pointer + block->size) - 1;
}

static size_t slack_end(const struct block *block, size_t size)
{
	size_t most = footer_size() == FOOTER_LONG ? SLACK_MOST :
						     SLACK_HARDENED;

	return min_size(size + most, block->size - footer_size());
}

static force_inline bool
footer_is_size(uint64_t word, const struct block *block, struct footer *footer)
{
	footer->size = word & bits_low(CANARY_SIZE_BITS);
	footer->form = word >> CANARY_SIZE_BITS & bits_low(CANARY_FORM_BITS);
	return footer->form < NR_FORMS &&
	       word == canary_of(footer->size, footer->form) &&
	       footer->size <= block->size - footer_size();
}

/* Packs both numbers and 16 bits that follow from them, so that what the
 * program wrote there is no stack. */
static uint64_t stacks_pack(uint32_t made, uint32_t freed, uint64_t key)
{
	uint64_t both;

	made = made >> STACK_BITS ? 0 : made;
	freed = freed >> STACK_BITS ? 0 : freed;
	both = made | (uint64_t)freed << STACK_BITS;
	return (both | (both * MIX_FILL) >> 48 << 48) ^ key;
}

static bool stacks_unpack(uint64_t word, uint64_t key, struct footer *footer)
{
	uint64_t both = (word ^ key) & bits_low(2 * STACK_BITS);

	footer->made = both & bits_low(STACK_BITS);
	footer->freed = (uint32_t)(both >> STACK_BITS);
	if (stacks_pack(footer->made, footer->freed, key) == word)
		return true;
	footer->made = footer->freed = 0;
	return false;
}

static uint32_t stack_now(void)
{
	return config.check_stacks && sampler_has_tables() ?
		       sample_stack_keep() :
		       0;
}

/* The word says that the block is in somebody's hands before anything of it
 * changes. */
static void footer_hold(_Atomic(uint64_t) *word)
{
	store_relaxed(word, 0); // hint: who looks on looks twice
	// [footer.hold] with block_look(): the word, then the bytes
	fence_release();
}

/* Fills the bytes from a size on up to an end that is 8 at least, by words: of
 * the last one those before the size stay. */
static force_inline void slack_fill(char *pointer, size_t size, size_t end)
{
	const uint64_t whole = SLACK_BYTE * (ALL_ONES / 0xff);
	uint64_t word;

	for (; end - size >= sizeof(word); size += sizeof(word))
		__builtin_memcpy(pointer + size, &whole, sizeof(word));
	if (size == end)
		return;
	__builtin_memcpy(&word, pointer + end - sizeof(word), sizeof(word));
	word &= bits_low(8 * (sizeof(word) - (end - size)));
	word |= whole & ~bits_low(8 * (sizeof(word) - (end - size)));
	__builtin_memcpy(pointer + end - sizeof(word), &word, sizeof(word));
}

/* What another thread reads meanwhile is a block in somebody's hands, until
 * all is there. */
void block_footer_set(void *pointer, const struct block *block, size_t size)
{
	enum block_form form = config_start() ? FORM_C : FORM_ANY;
	_Atomic(uint64_t) *word = footer_word(pointer, block);
	uint64_t key = canary_key(pointer);

	footer_hold(word);
	slack_fill(pointer, size, slack_end(block, size));
	if (footer_size() == FOOTER_LONG)
		// held
		store_relaxed(word - 1, stacks_pack(stack_now(), 0, ~key));
	// [footer.word] with block_footer_read(): slack and stacks
	store_release(word, canary_of(size, form) ^ key);
}

void block_form_set(void *pointer, const struct block *block,
		    enum block_form form)
{
	struct footer footer;
	uint64_t word;

	block_footer_read(pointer, block, &footer);
	word = canary_of(footer.size, form) ^ canary_key(pointer);
	// [footer.word] with block_footer_read(): slack and stacks
	store_release(footer_word(pointer, block), word);
}

static force_inline void footer_parse(const void *pointer,
				      const struct block *block,
				      uint64_t stacks, uint64_t word,
				      struct footer *footer)
{
	uint64_t key = canary_key(pointer);

	*footer = (struct footer){ .state = word ? FOOTER_BAD : FOOTER_HELD };
	if (footer_size() == FOOTER_LONG &&
	    !stacks_unpack(stacks, ~key, footer))
		return;
	if (footer_is_size(word ^ key, block, footer))
		footer->state = FOOTER_LIVE;
	else if (footer_is_size(~(word ^ key), block, footer))
		footer->state = FOOTER_FREED;
}

static force_inline void footer_read(const void *pointer,
				     const struct block *block,
				     struct footer *footer)
{
	_Atomic(uint64_t) *at = footer_word(pointer, block);
	// [footer.word] with block_footer_set(), block_retire(): the rest
	uint64_t word = load_acquire(at);
	// held
	uint64_t stacks = footer_size() == FOOTER_LONG ? load_relaxed(at - 1) :
							 0;

	footer_parse(pointer, block, stacks, word, footer);
}

void block_footer_read(const void *pointer, const struct block *block,
		       struct footer *footer)
{
	footer_read(pointer, block, footer);
}

/* Whether nobody wrote to the bytes from a size on, up to an end behind the
 * block's first word. The last word has bytes before the size. */
static force_inline bool slack_is_whole(const char *pointer, size_t size,
					size_t end)
{
	const uint64_t whole = SLACK_BYTE * (ALL_ONES / 0xff);
	uint64_t word, other = 0;

	for (; end - size >= sizeof(word); size += sizeof(word)) {
		__builtin_memcpy(&word, pointer + size, sizeof(word));
		other |= word ^ whole;
	}
	if (size == end)
		return !other;
	__builtin_memcpy(&word, pointer + end - sizeof(word), sizeof(word));
	return !(other | (word ^ whole) >> 8 * (sizeof(word) - (end - size)));
}

const char *block_slack_look(const void *pointer, const struct block *block,
			     const struct footer *footer)
{
	const char *bytes = pointer;
	size_t i, end = slack_end(block, footer->size);

	if (unlikely(footer->form == FORM_ANY) && !config_checks_full())
		return NULL;
	for (i = footer->size; i < end; i++)
		if ((unsigned char)bytes[i] != SLACK_BYTE)
			return bytes + i;
	return NULL;
}

/* Counts the words of the fill, of which the footer is none. */
static size_t fill_words(const void *pointer, const struct block *block)
{
	size_t page = PAGE_LEAST - (uintptr_t)pointer % PAGE_LEAST;
	size_t size = block->size < PAGE_LEAST ? block->size - FOOTER_LONG :
						 FILL_MOST;

	return min_size(size, page) / sizeof(uint64_t);
}

static uint64_t fill_word(const void *pointer, const struct block *block)
{
	uint64_t mix = slab_life(block) * MIX_FILL;

	return ((uintptr_t)pointer + (mix ^ mix >> 32)) * CANARY_MIX;
}

/* Two words of the fill: objects are multiples of it, and so is its end. */
typedef uint64_t fill_pair __attribute__((vector_size(16), may_alias));

static void block_fill(void *pointer, const struct block *block)
{
	size_t i, n = fill_words(pointer, block) / 2;
	uint64_t fill = fill_word(pointer, block);
	fill_pair pair = { fill, fill }, *pairs = pointer;

	for (i = 0; i + 4 <= n; i += 4) {
		pairs[i] = pair;
		pairs[i + 1] = pair;
		pairs[i + 2] = pair;
		pairs[i + 3] = pair;
	}
	for (; i < n; i++)
		pairs[i] = pair;
}

/* Whether n words are all the fill, which they are most often. */
static force_inline bool words_are(const uint64_t *words, size_t n,
				   uint64_t fill)
{
	fill_pair pair = { fill, fill }, other = { 0, 0 };
	const fill_pair *pairs = (const void *)words;
	size_t i;

	for (i = 0, n /= 2; i + 4 <= n; i += 4)
		other |= ((pairs[i] ^ pair) | (pairs[i + 1] ^ pair)) |
			 ((pairs[i + 2] ^ pair) | (pairs[i + 3] ^ pair));
	for (; i < n; i++)
		other |= pairs[i] ^ pair;
	return !(other[0] | other[1]);
}

static void footer_retire(void *pointer, const struct block *block,
			  const struct footer *footer)
{
	_Atomic(uint64_t) *word = footer_word(pointer, block);
	uint64_t key = canary_key(pointer);

	footer_hold(word);
	// held
	store_relaxed(word - 1, stacks_pack(footer->made, stack_now(), ~key));
	if (block->kind == BLOCK_OBJECT)
		block_fill(pointer, block);
	// [footer.word] with block_footer_read(): the fill
	store_release(word, ~canary_of(footer->size, footer->form) ^ key);
}

/* Of two that free it one has it in hands. */
static force_inline bool footer_claim(void *pointer, const struct block *block,
				      const struct footer *footer)
{
	uint64_t live = canary_of(footer->size, footer->form) ^
			canary_key(pointer);

	// own: of two that free it one has it in hands
	return footer->state == FOOTER_LIVE &&
	       cas_relaxed(footer_word(pointer, block), &live, 0);
}

bool block_claim(void *pointer, const struct block *block)
{
	struct footer footer;

	footer_read(pointer, block, &footer);
	return footer_claim(pointer, block, &footer);
}

bool block_retire(void *pointer, const struct block *block)
{
	struct footer footer;

	footer_read(pointer, block, &footer);
	if (!footer_claim(pointer, block, &footer))
		return false;
	footer_retire(pointer, block, &footer);
	return true;
}

/* Whether a call of that form may free what was made by that one. */
static force_inline bool forms_fit(enum block_form made, enum block_form form)
{
	return made == form || !config.check_pairs || form == FORM_ANY ||
	       made == FORM_ANY;
}

bool block_try_retire(void *pointer, const struct block *block,
		      enum block_form form)
{
	struct footer footer;

	footer_read(pointer, block, &footer);
	if (unlikely(footer.state != FOOTER_LIVE) ||
	    unlikely(!forms_fit(footer.form, form)) ||
	    !slack_is_whole(pointer, footer.size,
			    slack_end(block, footer.size)) ||
	    !footer_claim(pointer, block, &footer))
		return false;
	footer_retire(pointer, block, &footer);
	return true;
}

/* Whether n words are those of a free block. A footer of zeros lies in a page
 * that was purged. */
static bool fill_is_whole(const void *pointer, const struct block *block,
			  const uint64_t *words, size_t n,
			  const struct footer *footer)
{
	uint64_t fill = fill_word(pointer, block);
	size_t i, nr = 0;

	if (likely(n) && likely(words_are(words, n, fill)))
		return footer->state == FOOTER_FREED ||
		       footer->state == FOOTER_HELD;
	for (i = 0; i < n; i++)
		nr += words[i] == fill;
	return !nr;
}

bool block_is_as_freed(const void *pointer, const struct block *block)
{
	struct footer footer;

	footer_read(pointer, block, &footer);
	return fill_is_whole(pointer, block, pointer,
			     fill_words(pointer, block), &footer);
}

/* Others' memory, which may be inaccessible by now. */
static bool look_copy(void *to, const void *from, size_t size)
{
	return system_peek_behind_filter(to, from, size) == size;
}

/* What is looked at, and through what. */
struct view {
	const void *pointer;
	const struct block *block;
	struct block_window *window;
};

/* Moves the window to an object that it does not show; false: it cannot. */
static bool window_move(const struct view *view)
{
	struct block_window *window = view->window;
	uintptr_t at = (uintptr_t)view->pointer;

	if (!window || view->block->kind != BLOCK_OBJECT ||
	    view->block->size > BLOCK_WINDOW)
		return false;
	if (at >= window->at && at - window->at <= window->size &&
	    window->size - (at - window->at) >= view->block->size)
		return true;
	window->at = at;
	window->size = system_peek_behind_filter(window->bytes, view->pointer,
						 BLOCK_WINDOW);
	return window->size >= view->block->size;
}

/* Reads bytes of the block. */
static bool look_read(void *to, const void *from, size_t size,
		      const struct view *view)
{
	if (!window_move(view))
		return look_copy(to, from, size);
	__builtin_memcpy(to,
			 (char *)view->window->bytes +
				 ((uintptr_t)from - view->window->at),
			 size);
	return true;
}

static bool look_footer(const struct view *view, struct footer *footer)
{
	uint64_t words[2];

	if (!look_read(words, footer_word(view->pointer, view->block) - 1,
		       sizeof(words), view))
		return false;
	footer_parse(view->pointer, view->block, words[0], words[1], footer);
	return true;
}

static const char *look_slack(const struct view *view, size_t size)
{
	size_t i, n = slack_end(view->block, size) - size;
	const char *bytes = view->pointer;
	unsigned char slack[SLACK_MOST];

	if (!look_read(slack, bytes + size, n, view))
		return NULL;
	for (i = 0; i < n; i++)
		if (slack[i] != SLACK_BYTE)
			return bytes + size + i;
	return NULL;
}

static bool look_fill(const struct view *view, const struct footer *footer)
{
	size_t n = fill_words(view->pointer, view->block);
	uint64_t words[PAGE_LEAST / sizeof(uint64_t)]
		__attribute__((aligned(sizeof(fill_pair))));

	if (!look_read(words, view->pointer, n * sizeof(*words), view))
		return true;
	return fill_is_whole(view->pointer, view->block, words, n, footer);
}

bool block_look(const void *pointer, const struct block *block, bool free,
		struct block_window *window, struct block_look *out)
{
	struct view view = { pointer, block, window };
	struct footer after;

	*out = (struct block_look){ .is_as_freed = true };
	if (!look_footer(&view, &out->footer))
		return false;
	// [footer.word] with block_footer_set(), block_retire(): the rest
	fence_acquire();
	if (!free && out->footer.state == FOOTER_LIVE)
		out->slack = look_slack(&view, out->footer.size);
	else if (block->kind == BLOCK_OBJECT)
		out->is_as_freed = look_fill(&view, &out->footer);
	if (!out->slack && out->is_as_freed)
		return true;
	// [footer.hold] with footer_hold(): the bytes, then the word
	fence_acquire();
	return look_footer(&view, &after) && after.state == out->footer.state &&
	       after.size == out->footer.size;
}

const char *block_fill_look(const void *pointer, const struct block *block)
{
	size_t i, n = fill_words(pointer, block) * sizeof(uint64_t);
	uint64_t fill = fill_word(pointer, block);
	const unsigned char *bytes = pointer;
	unsigned char as_freed[sizeof(fill)];

	__builtin_memcpy(as_freed, &fill, sizeof(fill));
	for (i = 0; i < n; i++)
		if (bytes[i] != as_freed[i % sizeof(fill)])
			return (const char *)bytes + i;
	return pointer;
}
