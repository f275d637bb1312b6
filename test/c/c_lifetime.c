/* c_lifetime CYCLES: makes and destroys runtimes, CYCLES times, pumped and with threads in turn, with calls in flight and in the
 * middle of a frame; starts a program in between. Afterwards no thread of weft's is left, and no descriptor was inherited or lost. */
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int entries(const char *folder) {
  DIR *d = opendir(folder);
  CHECK(d != NULL);
  int count = 0;
  while (readdir(d) != NULL) ++count;
  closedir(d);
  return count;
}
/* Threads besides this one that are not gRPC's own. */
static int other_threads(void) {
  DIR *d = opendir("/proc/self/task");
  CHECK(d != NULL);
  int count = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    if (e->d_name[0] == '.' || atoi(e->d_name) == (int)getpid()) continue;
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", atoi(e->d_name));
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(name, sizeof name, f) == NULL) name[0] = 0; /* it has just ended */
    if (f != NULL) fclose(f);
    if (name[0] != 0 && strstr(name, "-execut") == NULL && strncmp(name, "grpc_", 5) != 0) ++count;
  }
  closedir(d);
  return count;
}
static int descriptors(void) { return entries("/proc/self/fd") - 2; }

static const weft_method methods[] = {{"Say", WEFT_METHOD_UNARY}, {"Talk", WEFT_METHOD_BIDI_STREAM}};

/* What a child sees: its descriptors, which are those that it was given. */
static int child(const char *given) {
  const int open_now = descriptors();
  const int wanted = atoi(given);
  if (open_now > wanted) fprintf(stderr, "a child has %d descriptors, and was given %d\n", open_now, wanted);
  return open_now > wanted ? 1 : 0; /* less under valgrind, whose own do not go along */
}

static void start_child(const char *self, int given) {
  char number[16];
  snprintf(number, sizeof number, "%d", given);
  char program[4096];
  snprintf(program, sizeof program, "%s", self);
  char flag[] = "--child";
  char *arguments[] = {program, flag, number, NULL};
  const pid_t forked = fork();
  CHECK(forked >= 0);
  if (forked == 0) {
    execv(program, arguments);
    _exit(127);
  }
  int status = -1;
  CHECK(waitpid(forked, &status, 0) == forked);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void cycle(int i, const char *self, int inherited) {
  const int workers = i / 2 % 2;
  struct world w = {.workers = workers};
  weft_runtime_options options = {.size = sizeof options, .workers = workers, .log = WEFT_LOG_NONE, .wake_fd = i / 4 % 2};
  OK(weft_runtime_create(&options, &w.there));
  OK(weft_runtime_create(&options, &w.here));
  weft_service_options service = {.size = sizeof service, .methods = methods, .methods_count = COUNT(methods)};
  OK(weft_service_create(w.there, "test.v1.Echo", &service, &w.service));
  weft_server_options served = {.size = sizeof served, .services = &w.service, .services_count = 1};
  OK(weft_server_start(w.there, &served, &w.server));
  int port = 0;
  OK(weft_server_port(w.server, 0, &port));
  char address[64];
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  OK(weft_peer_open(w.here, address, NULL, &w.peer));
  weft_handle session = 0, stream = 0;
  OK(weft_session_open(w.peer, NULL, &session));
  weft_call_options endless = {.size = sizeof endless, .deadline_ms = -1};
  for (int k = 0; k < 8; ++k) {
    OK(weft_call(w.peer, "test.v1.Echo/Say", "\x0a\x02hi", 4, &endless, NULL));
    OK(weft_call(session, "test.v1.Echo/Say", "\x0a\x02hi", 4, &endless, NULL));
    OK(weft_stream_open(w.peer, "test.v1.Echo/Talk", &endless, &stream));
    OK(weft_stream_write(stream, "\x0a\x02hi", 4));
  }
  if (i % 25 == 3) { /* a link that finds no gate there, and tries again; rarely, since its end waits for the other side's */
    const weft_link_options quick = {.size = sizeof quick, .first_wait_ms = 1};
    weft_handle link = 0;
    OK(weft_link_open(w.here, address, &quick, &link));
    OK(weft_link_ask(link, "\x22\2hi", 4, &endless, NULL));
  }
  /* Sometimes nothing has gone out yet, sometimes it is in progress, sometimes answers are on their way. */
  for (int k = 0; k < i % 12; ++k) {
    weft_event asked = next_of(&w, w.there);
    if (asked.type == WEFT_EVENT_REQUEST && k % 3 == 0) OK(weft_reply(asked.about, "\x0a\x02ho", 4, NULL));
  }
  if (workers == 0) OK(weft_pump(i % 3 == 0 ? w.here : w.there, 0, 0, NULL)); /* not a whole frame */
  if (i % 50 == 7) start_child(self, inherited);
  const int server_first = i % 2 != 0;
  OK(weft_runtime_destroy(server_first ? w.there : w.here));
  OK(weft_runtime_destroy(server_first ? w.here : w.there));
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--child") == 0) return child(argv[2]);
  const int cycles = argc == 2 ? atoi(argv[1]) : 0;
  if (cycles <= 0) {
    fprintf(stderr, "usage: c_lifetime CYCLES\n");
    return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
  }
  const int inherited = descriptors(); /* as a child counts: those of this program, and the folder that is read */
  for (int i = 0; i < 4; ++i) cycle(i, argv[0], inherited); /* what is kept from the first use on */
  const int before = descriptors();
  const int threads = other_threads(); /* a sanitizer's, which it starts with the first of ours */
  for (int i = 0; i < cycles; ++i) cycle(i, argv[0], inherited);
  const double late = seconds_now() + 30; /* gRPC closes some of its descriptors in the background */
  while ((other_threads() > threads || descriptors() > before) && seconds_now() < late) poll(NULL, 0, 10);
  printf("%d cycles: %d threads left, %d descriptors, %d before\n", cycles, other_threads() - threads, descriptors(), before);
  CHECK(other_threads() <= threads);
  CHECK(descriptors() <= before);
  return 0;
}
