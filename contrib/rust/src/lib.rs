//! lanemalloc as a program's global allocator.
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: lanemalloc::LaneMalloc = lanemalloc::LaneMalloc;
//!
//! fn main() {
//!     println!("{} {:?}", lanemalloc::version(), lanemalloc::mode());
//! }
//! ```
//!
//! The archive replaces malloc and free of the whole program, so that C and
//! C++ libraries in it get their memory here, too; naming the global allocator
//! spares Rust the way through `std::alloc::System` and keeps the archive in
//! the program. It does not wrap `pthread_create`: a program whose idle
//! memory shall come back while it sleeps calls [`start_reclaimer`] once.
//!
//! No function here waits for another thread, and all but [`stats_json`] are
//! safe in signal handlers.

#![warn(missing_docs)]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;

extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    fn free_sized(block: *mut c_void, size: usize);
    fn free_aligned_sized(block: *mut c_void, align: usize, size: usize);
    fn malloc_usable_size(block: *mut c_void) -> usize;

    fn lanemalloc_version() -> *const c_char;
    fn lanemalloc_mode(why: *mut *const c_char) -> *const c_char;
    fn lanemalloc_stats_json(buffer: *mut c_char, size: usize) -> usize;
    fn lanemalloc_purge() -> usize;
    fn lanemalloc_reclaimer_start() -> c_int;
}

/// What malloc gives without being asked.
const ALIGN: usize = 16;

/// The allocator; it has no state of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneMalloc;

impl LaneMalloc {
    /// How many bytes of a block may be used, at least those asked for.
    ///
    /// # Safety
    ///
    /// `block` came from this allocator and was not freed.
    pub unsafe fn usable_size(&self, block: *mut u8) -> usize {
        malloc_usable_size(block.cast())
    }
}

/// A small block of malloc's may be aligned to its size alone.
fn is_ordinary(layout: &Layout) -> bool {
    layout.align() <= ALIGN && layout.align() <= layout.size()
}

// Each block goes back by the way it came, with what was asked for: the
// layout decides for both.
unsafe impl GlobalAlloc for LaneMalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_ordinary(&layout) {
            malloc(layout.size()).cast()
        } else {
            aligned_alloc(layout.align(), layout.size()).cast()
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_ordinary(&layout) {
            return calloc(1, layout.size()).cast();
        }
        let block = self.alloc(layout);
        if !block.is_null() {
            ptr::write_bytes(block, 0, layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_ordinary(&layout) {
            free_sized(block.cast(), layout.size());
        } else {
            free_aligned_sized(block.cast(), layout.align(), layout.size());
        }
    }

    unsafe fn realloc(&self, block: *mut u8, old: Layout, size: usize) -> *mut u8 {
        let new = Layout::from_size_align_unchecked(size, old.align());

        if is_ordinary(&old) && is_ordinary(&new) {
            return realloc(block.cast(), size).cast();
        }
        let moved = self.alloc(new);
        if !moved.is_null() {
            ptr::copy_nonoverlapping(block, moved, old.size().min(size));
            self.dealloc(block, old);
        }
        moved
    }
}

/// The version of the library, `major.minor.patch`.
pub fn version() -> &'static str {
    unsafe { text(lanemalloc_version()) }
}

/// How this process is served, and why so: `mm_cid` and `cpu_id` are CPU
/// caches on restartable sequences, `direct` is without caches.
pub fn mode() -> (&'static str, &'static str) {
    let mut why = ptr::null();

    unsafe { (text(lanemalloc_mode(&mut why)), text(why)) }
}

/// All statistics as one JSON object; the fields are those of
/// `docs/statistics.md`. Allocates the string.
pub fn stats_json() -> String {
    let mut buffer = vec![0u8; 4096];

    loop {
        let length = unsafe { lanemalloc_stats_json(buffer.as_mut_ptr().cast(), buffer.len()) };
        if length < buffer.len() {
            buffer.truncate(length);
            return String::from_utf8_lossy(&buffer).into_owned();
        }
        buffer = vec![0u8; length + 256];
    }
}

/// Empties all caches and gives all free memory back to the system; returns
/// the bytes given back.
pub fn purge() -> usize {
    unsafe { lanemalloc_purge() }
}

/// Starts what gives memory back while the program sleeps, if it does not run
/// yet; an error is an errno.
pub fn start_reclaimer() -> Result<(), i32> {
    match unsafe { lanemalloc_reclaimer_start() } {
        0 => Ok(()),
        error => Err(-error),
    }
}

/// The library's strings are ASCII and live for ever.
unsafe fn text(string: *const c_char) -> &'static str {
    CStr::from_ptr(string).to_str().unwrap_or("")
}
