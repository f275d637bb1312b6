/* What the C tests share: checks that name their line, and two runtimes, a server's and a client's, driven side by side. */
#ifndef WEFT_TEST_CHECK_H
#define WEFT_TEST_CHECK_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/weft.h>

#define CHECK(what)                                                                              \
  do {                                                                                           \
    if (!(what)) {                                                                               \
      fprintf(stderr, "%s:%d: failed: %s (%s)\n", __FILE__, __LINE__, #what, weft_last_error()); \
      exit(1);                                                                                   \
    }                                                                                            \
  } while (0)
#define OK(call) CHECK((call) == WEFT_OK)
/* The code, and a part of the text. */
#define FAILS(call, wanted, part)                                                                         \
  do {                                                                                                    \
    const int code_ = (call);                                                                             \
    if (code_ != (wanted) || strstr(weft_last_error(), part) == NULL) {                                   \
      fprintf(stderr, "%s:%d: %s is %s: %s\n", __FILE__, __LINE__, #call, weft_code_name(code_), weft_last_error()); \
      exit(1);                                                                                            \
    }                                                                                                     \
  } while (0)
#define TEXT_HAS(event, part)                                                                          \
  do {                                                                                                 \
    if (strstr((event).text, part) == NULL) {                                                          \
      fprintf(stderr, "%s:%d: \"%s\" does not have \"%s\"\n", __FILE__, __LINE__, (event).text, part); \
      exit(1);                                                                                         \
    }                                                                                                  \
  } while (0)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct world {
  int workers;
  weft_handle there; /* the server's runtime */
  weft_handle service, server;
  weft_handle here; /* the client's */
  weft_handle peer;
};

static inline double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Pumps both runtimes, and waits until one of them has something to do, if they have descriptors for that. */
static inline void pump_both(const struct world *w) {
  struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
  const weft_handle both[] = {w->here, w->there};
  int64_t wait_us = 20000000;
  nfds_t waited = 0;
  for (size_t i = 0; i < COUNT(both) && both[i] != 0; ++i) {
    weft_pump_report report = {.size = sizeof report};
    OK(weft_pump(both[i], 2000, 0, &report));
    if (report.next_timer_us >= 0 && report.next_timer_us < wait_us) wait_us = report.next_timer_us;
    if (weft_wake_fd(both[i], &fds[i].fd) == WEFT_OK) ++waited;
  }
  if (waited != 0) CHECK(poll(fds, waited, (int)((wait_us + 999) / 1000)) >= 0);
}

/* Lets both runtimes do what they have to. */
static inline void turn(const struct world *w, weft_handle waits) {
  if (w->workers == 0) {
    pump_both(w);
    return;
  }
  struct pollfd fd = {.events = POLLIN};
  OK(weft_wake_fd(waits, &fd.fd));
  CHECK(poll(&fd, 1, 20000) >= 0);
}

/* The next event of a runtime; waits for it. */
static inline weft_event next_of(const struct world *w, weft_handle runtime) {
  const double late = seconds_now() + 20;
  for (;;) {
    weft_event event = {.size = sizeof event};
    OK(weft_poll(runtime, &event));
    if (event.type != WEFT_EVENT_NONE) return event;
    CHECK(seconds_now() < late);
    turn(w, runtime);
  }
}
static inline weft_event next_here(const struct world *w) { return next_of(w, w->here); }
static inline weft_event next_there(const struct world *w) { return next_of(w, w->there); }

static inline int same(const char *data, size_t size, const char *wanted) {
  return size == strlen(wanted) && memcmp(data, wanted, size) == 0;
}

static inline const weft_metadata *find(const weft_metadata *all, size_t count, const char *key) {
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(all[i].key, key) == 0) return &all[i];
  }
  return NULL;
}

#endif
