//! The crate as the global allocator of this program.

use std::alloc::{alloc, alloc_zeroed, dealloc, realloc, GlobalAlloc, Layout, System};
use std::thread;

use lanemalloc::LaneMalloc;

#[global_allocator]
static ALLOCATOR: LaneMalloc = LaneMalloc;

fn statistic(name: &str) -> u64 {
    let json = lanemalloc::stats_json();
    let at = json.find(&format!("\"{name}\"")).expect(name) + name.len() + 2;

    json[at..]
        .trim_start_matches([':', ' '])
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .expect(name)
}

// In one test, since tests run beside each other: none of the others holds
// nearly as much.
#[test]
fn rust_and_c_are_served_by_the_library() {
    let size = 64 << 20;
    let layout = Layout::from_size_align(size, 8).unwrap();

    for allocator in [&LaneMalloc as &dyn GlobalAlloc, &System] {
        let before = statistic("live_size");
        let block = unsafe { allocator.alloc(layout) };
        let live = statistic("live_size");

        assert!(!block.is_null());
        assert!(live >= before + size as u64 / 2, "{before} {live}");
        unsafe { allocator.dealloc(block, layout) };
        assert!(statistic("live_size") < before + size as u64 / 2);
    }
    let before = statistic("live_size");
    let vector = vec![1u8; size];
    assert!(statistic("live_size") >= before + size as u64 / 2);
    drop(vector);
}

#[test]
fn every_layout_is_aligned_and_keeps_its_content() {
    for shift in 0..14 {
        for size in [1usize, 7, 8, 15, 16, 17, 100, 4096, 5000, 300_000] {
            let layout = Layout::from_size_align(size, 1 << shift).unwrap();
            unsafe { grow_and_shrink(layout) };
        }
    }
}

unsafe fn grow_and_shrink(layout: Layout) {
    let mut block = alloc_zeroed(layout);
    let mut size = layout.size();

    assert!((0..size).all(|i| *block.add(i) == 0));
    for new_size in [size * 3 + 1, size / 2 + 1, size * 9] {
        for i in 0..size {
            *block.add(i) = (i % 251) as u8;
        }
        let old = Layout::from_size_align(size, layout.align()).unwrap();
        block = realloc(block, old, new_size);
        assert_eq!(block as usize % layout.align(), 0);
        assert!((0..size.min(new_size)).all(|i| *block.add(i) == (i % 251) as u8));
        assert!(ALLOCATOR.usable_size(block) >= new_size);
        size = new_size;
    }
    dealloc(
        block,
        Layout::from_size_align(size, layout.align()).unwrap(),
    );
}

#[test]
fn too_much_is_null() {
    let layout = Layout::from_size_align(isize::MAX as usize / 2, 8).unwrap();

    assert!(unsafe { alloc(layout) }.is_null());
}

#[test]
fn memory_of_one_thread_is_freed_by_another() {
    let threads: Vec<_> = (0..8)
        .map(|n| {
            thread::spawn(move || {
                (0..5000)
                    .map(|i| format!("{n} {i}"))
                    .collect::<Vec<String>>()
            })
        })
        .collect();

    for (n, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap()[4999], format!("{n} 4999"));
    }
}

#[test]
fn the_library_answers() {
    let (mode, why) = lanemalloc::mode();

    assert_eq!(lanemalloc::version(), env!("CARGO_PKG_VERSION"));
    assert!(["mm_cid", "cpu_id", "direct"].contains(&mode), "{mode}");
    assert!(!why.is_empty());
    assert!(lanemalloc::stats_json().starts_with('{'));
    lanemalloc::purge();
    assert_eq!(lanemalloc::start_reclaimer(), Ok(()));
}
