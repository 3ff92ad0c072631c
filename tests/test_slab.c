/* slab/slab.h: the state word by enumeration, each transition of a slab's
 * life, and the interleavings that its header speaks of, step by step */
#include <string.h>

#include "slab_fixture.h"

#define OWNER 3
#define OTHER 9

static bool words_equal(struct slab_word a, struct slab_word b)
{
	return a.on == b.on && a.size_class == b.size_class &&
	       a.owner == b.owner && a.generation == b.generation;
}

/* What the states and their changes are in the plain word: `on` alone is what
 * leavers clear and givers set, and a new life has nothing of the last but its
 * number. */
static void word_changes(struct slab_word w)
{
	uint64_t word = slab_word_pack(w);
	struct slab_word next;

	assert_int_equal(word, (uint64_t)w.on | (uint64_t)w.size_class << 8 |
				       (uint64_t)w.owner << 16 |
				       (uint64_t)w.generation << 32);
	assert_true(words_equal(slab_word_unpack(word), w));
	assert_int_equal(slab_word_pack(slab_word_left(w)), word & ~SLAB_ON);
	assert_int_equal(slab_word_pack(slab_word_won(w)), word | SLAB_ON);
	next = slab_word_adopted(w, w.owner ^ 0x1fff);
	assert_int_equal(slab_word_pack(next) ^ word, (uint64_t)0x1fff << 16);
	next = slab_word_opened(w, w.size_class ^ 0xff, w.owner ^ 1);
	assert_true(next.on && !next.unused);
	assert_int_equal(next.size_class, w.size_class ^ 0xff);
	assert_int_equal(next.owner, w.owner ^ 1);
	assert_int_equal(next.generation, (uint32_t)(w.generation + 1));
}

TEST(test_words_by_enumeration)
{
	static const uint16_t owners[] = { 0, 1, 8191, 65535 };
	static const uint32_t lives[] = { 0, 1, 0x89abcdef, UINT32_MAX };

	assert_int_equal(SLAB_ON, 1);
	for (unsigned i = 0; i < 32; i++)
		for (unsigned size_class = 0; size_class < 256; size_class++)
			word_changes((struct slab_word){
				.on = i & 1,
				.size_class = (uint8_t)size_class,
				.owner = owners[i >> 1 & 3],
				.generation = lives[i >> 3 & 3],
			});
}

static struct slab_word word_of(struct span *slab)
{
	return slab_word_unpack(load_relaxed(&slab->word));
}

TEST(test_life_of_every_class)
{
	static void *objects[2048];
	unsigned size_class, n, i;
	uint64_t word;

	for (size_class = 1; size_class < NR_FIXED_CLASSES; size_class++) {
		unsigned nr = size_classes[size_class].nr_objects;
		struct span *slab = slab_open(size_class, OWNER);

		slab_check(slab);
		assert_true(slab_is_empty(slab));
		assert_int_equal(slab_nr_free(slab), nr);
		n = slab_take(slab, objects, nr);
		assert_int_equal(n, nr);
		for (i = 1; i < n; i++)
			assert_int_equal((char *)objects[i] -
						 (char *)objects[i - 1],
					 size_classes[size_class].size);
		assert_int_equal(slab_nr_free(slab), 0);
		assert_true(slab_leave(slab, &word));
		assert_false(word_of(slab).on);
		assert_int_equal(give(slab, objects, 1, &word),
				 SLAB_GIVEN_HELD);
		assert_int_equal(slab_word_unpack(word).owner, OWNER);
		assert_int_equal(give(slab, objects + 1, n - 1, &word),
				 SLAB_GIVEN_EMPTY);
		slab_check(slab);
		slab_close(slab);
		page_heap_check();
	}
}

TEST(test_take_is_in_address_order_and_bounded)
{
	unsigned size_class = size_class_of(16), i, n;
	struct span *slab = slab_open(size_class, OWNER);
	void *objects[100];
	uint64_t word;

	for (n = 1; n <= 100; n++) {
		assert_int_equal(slab_take(slab, objects, n), n);
		for (i = 1; i < n; i++)
			assert_true(objects[i] > objects[i - 1]);
		slab_check(slab);
		give(slab, objects, n, &word);
		slab_check(slab);
	}
	slab_close(slab);
}

/* The leaver clears `on`; an object comes back before it looks again. */
TEST(test_leave_sees_what_came_back)
{
	unsigned size_class = size_class_of(4096);
	struct span *slab = slab_open(size_class, OWNER);
	void *objects[64];
	unsigned n = slab_take(slab, objects, 64);
	uint64_t word;

	assert_int_equal(give(slab, objects, 1, &word), SLAB_GIVEN);
	assert_false(slab_leave(slab, &word));
	assert_true(word_of(slab).on);
	assert_int_equal(slab_take(slab, objects, 1), 1);
	assert_true(slab_leave(slab, &word));
	give(slab, objects, n, &word);
	slab_close(slab);
}

/* A giver that slept since its bits wakes in the slab's next life. */
TEST(test_sleeper_lists_the_slab_of_its_new_life)
{
	unsigned size_class = size_class_of(4096), next = size_class_of(3072);
	struct span *slab = slab_open(size_class, OWNER);
	void *objects[64];
	uint64_t old, word;
	unsigned n;

	slab_close(slab);
	assert_true(word_of(slab).on);
	slab = slab_open(next, OTHER);
	n = slab_take(slab, objects, 64);
	assert_true(slab_leave(slab, &word));
	old = or_seq(&slab->word, SLAB_ON);
	assert_false(old & SLAB_ON);
	assert_int_equal(slab_word_unpack(old).owner, OTHER);
	assert_int_equal(slab_word_unpack(old).size_class, next);
	give(slab, objects, n, &old);
	slab_close(slab);
}

static const struct unit_tag *span_tag(const struct span *slab)
{
	struct region *region = region_of_span(slab);

	return &region->tags[region_span_unit(region, slab)];
}

TEST(test_adopt_changes_the_owner_alone)
{
	struct span *slab = slab_open(size_class_of(100), OWNER);
	uint64_t before = load_relaxed(&slab->word);

	assert_int_equal(span_tag(slab)->owner, OWNER);
	slab_adopt(slab, REGION_TABLE_WORDS - 1);
	assert_int_equal(span_tag(slab)->owner, REGION_TABLE_WORDS - 1);
	assert_int_equal(span_tag(slab)->magic & ~TAG_OWNER_MASK,
			 size_classes[word_of(slab).size_class].magic);
	slab_adopt(slab, OTHER);
	assert_int_equal(word_of(slab).owner, OTHER);
	assert_int_equal(span_tag(slab)->owner, OTHER);
	slab_adopt(slab, OWNER);
	assert_int_equal(load_relaxed(&slab->word), before);
	slab_close(slab);
}

static void give_twice(void)
{
	struct span *slab = slab_open(size_class_of(64), OWNER);
	void *objects[2];
	uint64_t word;

	slab_take(slab, objects, 2);
	give(slab, objects, 1, &word);
	give(slab, objects, 1, &word);
}

static void give_one_batch_twice(void)
{
	struct span *slab = slab_open(size_class_of(64), OWNER);
	void *objects[2];
	uint64_t word;

	slab_take(slab, objects, 1);
	objects[1] = objects[0];
	give(slab, objects, 2, &word);
}

static void give_inside(void)
{
	struct span *slab = slab_open(size_class_of(64), OWNER);
	void *object;
	uint64_t word;

	slab_take(slab, &object, 1);
	object = (char *)object + 16;
	give(slab, &object, 1, &word);
}

static struct span *given_twice;

static void give_first_twice(void)
{
	void *objects[8];
	uint64_t word;

	given_twice = slab_open(size_class_of(64), OWNER);
	slab_take(given_twice, objects, 8);
	give(given_twice, objects, 1, &word);
	give(given_twice, objects, 1, &word);
}

TEST(test_misuse_is_seen)
{
	assert_true(fake_aborts(give_twice()));
	assert_true(fake_aborts(give_one_batch_twice()));
	assert_true(fake_aborts(give_inside()));
	/* What other threads and handlers take meanwhile is free. */
	assert_true(fake_aborts(give_first_twice()));
	assert_int_equal(slab_nr_free(given_twice), UNIT_SIZE / 64 - 7);
}

/* The statement ends the process by a message that begins so. */
#define assert_says(text, ...)                              \
	do {                                                \
		fake_text_clear();                          \
		assert_true(fake_aborts(__VA_ARGS__));      \
		if (!strstr(fake_text(), text))             \
			fail_msg("message: %s", fake_text()); \
	} while (0)

static void give_one(void *object)
{
	slab_give(&object, 1);
}

/* What a lane that was written over gives back. */
TEST(test_damaged_objects_are_seen)
{
	struct span *slab = slab_open(size_class_of(64), OWNER);
	struct region *region = &regions[0];
	char *end = region_addr(region, load_relaxed(&region->nr_committed));
	struct unit_tag *tag, sound;
	void *object;

	slab_take(slab, &object, 1);
	assert_says("corrupted: 0x4141 came back as a block",
		    give_one((void *)0x4141));
	assert_says("came back as a block",
		    give_one((char *)region->tags + 64));
	assert_says("came back as a block", give_one(end));
	assert_says("inside a block", give_one((char *)object + 8));
	tag = &region->tags[region_unit(region, object)];
	sound = *tag;
	tag->size_class = NR_LANES - 1;
	assert_says("corrupted: the tag of", give_one(object));
	tag->size_class = CLASS_LARGE;
	assert_says("corrupted: the tag of", give_one(object));
	/* A class without a size: a run of no units. */
	tag->size_class = NR_FIXED_CLASSES;
	assert_says("corrupted: the tag of", give_one(object));
	*tag = sound;
	tag->magic += TAG_OWNER_MASK + 1;
	assert_says("corrupted: the tag of", give_one(object));
	*tag = sound;
	tag->start -= UNIT_SIZE;
	assert_says("corrupted: the tag of", give_one(object));
	*tag = sound;
	give_one(object);
	slab_close(slab);
}

TEST(test_damaged_descriptors_are_seen)
{
	unsigned size_class = size_class_of(64);
	struct span *slab = slab_open(size_class, OWNER);
	struct region *region = &regions[0];
	uint64_t sound = load_relaxed(&slab->word); // own
	struct slab_word w = slab_word_unpack(sound);
	struct slab_word bad[] = { w, w, w, w };
	volatile unsigned i;

	slab_check_listed(slab, size_class);
	assert_says("corrupted: a list of slabs has 0x4141",
		    slab_check_listed((void *)0x4141, size_class));
	assert_says("corrupted: a list of slabs has",
		    slab_check_listed((void *)((char *)slab + 8), size_class));
	assert_says("corrupted: a list of slabs has",
		    slab_check_listed(
			    &region->spans[load_relaxed(&region->nr_committed)],
			    size_class));
	assert_says("corrupted: a list of slabs has",
		    slab_check_listed((void *)region->bits, size_class));
	assert_says("corrupted: the slab",
		    slab_check_listed(slab, size_class + 1));
	bad[0].on = false;
	bad[1].size_class = NR_CLASSES;
	bad[2].size_class = NR_FIXED_CLASSES;
	bad[3].owner = SLAB_SAMPLED + 1;
	for (i = 0; i < 4; i++) {
		store_relaxed(&slab->word, slab_word_pack(bad[i])); // own
		assert_says("corrupted: the slab",
			    slab_check_listed(slab, bad[i].size_class));
	}
	store_relaxed(&slab->word, sound); // own
	slab_close(slab);
}

static uint64_t life_of(const void *object)
{
	struct block block;

	page_map_find(object, &block);
	return slab_life(&block);
}

/* No life of any slab that an object's memory was part of has the name of
 * another one: not with another first unit, either. */
TEST(test_lives_have_names)
{
	struct span *slab = slab_open(size_class_of(28672), OWNER);
	void *objects[4];
	uint64_t lives[4], word;

	slab_take(slab, objects, 4);
	lives[0] = life_of(objects[0]);
	assert_int_equal(life_of(objects[3]), lives[0]);
	give(slab, objects, 4, &word);
	slab_close(slab);
	for (unsigned i = 1; i < 4; i++) {
		slab = slab_open(size_class_of(i % 2 ? 1024 : 28672), OWNER);
		slab_take(slab, objects, 1);
		lives[i] = life_of(objects[0]);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(lives[k], lives[i]);
		give(slab, objects, 1, &word);
		slab_close(slab);
	}
}

TEST(test_no_memory)
{
	struct span *slab;

	for (unsigned long k = 1; k < 4; k++) {
		fake_fail_at(FAKE_MAP, k);
		slab = slab_open(size_class_of(32768), OWNER);
		if (slab)
			slab_close(slab);
		page_heap_check();
		fake_reset();
	}
}

TEST_MAIN(heap_setup, NULL)
