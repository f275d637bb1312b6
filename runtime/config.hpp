#pragma once
// The one place for compiler and sanitizer conditionals. Each names the reason it is here.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(WEFT_ASAN)
#define WEFT_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(WEFT_TSAN)
#define WEFT_TSAN 1
#endif
#ifndef WEFT_ASAN
#define WEFT_ASAN 0
#endif
#ifndef WEFT_TSAN
#define WEFT_TSAN 0
#endif

// A free list hides use-after-free from AddressSanitizer and reuse races from ThreadSanitizer.
#define WEFT_POOL_FRAMES (!WEFT_ASAN && !WEFT_TSAN)

// WEFT_DEBUG turns the checks for misuse on that cost something; the build sets it outside of Release.
#ifndef WEFT_DEBUG
#ifdef NDEBUG
#define WEFT_DEBUG 0
#else
#define WEFT_DEBUG 1
#endif
#endif

// An await_suspend that is not inlined returns into the awaiting coroutine: its return address says where the task waits.
// (std::source_location as a default argument in coroutine machinery crashes g++, PR 114675.)
#define WEFT_NOINLINE [[gnu::noinline]]

// gRPC is not instrumented: ThreadSanitizer does not see that a tag handed to it comes back in order.
#if WEFT_TSAN
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#define WEFT_TSAN_ACQUIRE(address) __tsan_acquire(address)
#define WEFT_TSAN_RELEASE(address) __tsan_release(address)
#else
#define WEFT_TSAN_ACQUIRE(address) ((void)0)
#define WEFT_TSAN_RELEASE(address) ((void)0)
#endif
