/* Drives the C interface as a program in C does: c_interface DESCRIPTORS CERTIFICATES ECHO_ADDRESS [CASE] runs all cases, or one, each
 * with pumped runtimes, with pumped ones that are waited for, and with threads. ECHO_ADDRESS is where test/rpc/echo_program serves. */
#include "check.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *descriptors, *certificates, *echo_address;
static int waited_for; /* pumped runtimes have a descriptor */

static const weft_method methods[] = {
    {"Say", WEFT_METHOD_UNARY},
    {"Repeat", WEFT_METHOD_SERVER_STREAM},
    {"Join", WEFT_METHOD_CLIENT_STREAM},
    {"Talk", WEFT_METHOD_BIDI_STREAM},
};

static weft_handle make_runtime(int workers) {
  weft_runtime_options options = {.size = sizeof options, .workers = workers, .log = WEFT_LOG_NONE, .wake_fd = waited_for};
  weft_handle runtime = 0;
  OK(weft_runtime_create(&options, &runtime));
  CHECK(runtime != 0);
  return runtime;
}

static struct world make_world(int workers, weft_service_options options) {
  struct world w = {.workers = workers};
  w.there = make_runtime(workers);
  OK(weft_types_load(w.there, descriptors));
  options.size = sizeof options;
  if (options.format == WEFT_BYTES) {
    options.methods = methods;
    options.methods_count = COUNT(methods);
  }
  OK(weft_service_create(w.there, "test.v1.Echo", &options, &w.service));
  weft_server_options served = {.size = sizeof served, .services = &w.service, .services_count = 1};
  OK(weft_server_start(w.there, &served, &w.server));
  int port = 0;
  OK(weft_server_port(w.server, 0, &port));
  char address[64];
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  w.here = make_runtime(workers);
  OK(weft_peer_open(w.here, address, NULL, &w.peer));
  return w;
}

static void end_world(const struct world *w) {
  OK(weft_runtime_destroy(w->here));
  OK(weft_runtime_destroy(w->there));
}

/* EchoRequest and EchoReply: text = 1. */
static const char hi[] = "\x0a\x02hi";
#define HI hi, (sizeof hi - 1)

static void a_call_in_bytes(int workers) {
  struct world w = make_world(workers, (weft_service_options){.user = 70});
  const weft_metadata sent = {"x-player", "7", 1};
  weft_call_options options = {
      .size = sizeof options, .user = 7, .metadata = &sent, .metadata_count = 1, .deadline_ms = 60000};
  weft_handle call = 0;
  OK(weft_call(w.peer, "test.v1.Echo/Say", HI, &options, &call));

  weft_event asked = next_there(&w);
  CHECK(asked.type == WEFT_EVENT_REQUEST && asked.service == w.service && asked.user == 70);
  CHECK(strcmp(asked.method, "/test.v1.Echo/Say") == 0 && asked.streams == 0);
  CHECK(same(asked.data, asked.data_size, hi));
  CHECK(strncmp(asked.peer, "ipv4:127.0.0.1:", 15) == 0 && strcmp(asked.identity, "") == 0);
  CHECK(asked.time_left_us > 30000000 && asked.time_left_us <= 60000000);
  const weft_metadata *player = find(asked.headers, asked.headers_count, "x-player");
  CHECK(player != NULL && same(player->value, player->value_size, "7"));

  const weft_metadata header = {"x-table", "12", 2}, trailer = {"x-cost-bin", "\0\1", 2};
  weft_reply_options answer = {
      .size = sizeof answer, .headers = &header, .headers_count = 1, .trailers = &trailer, .trailers_count = 1};
  const weft_handle request = asked.about;
  OK(weft_reply(request, "\x0a\x03hi!", 5, &answer));
  FAILS(weft_reply(request, NULL, 0, NULL), WEFT_BAD_HANDLE, "is closed");

  weft_event reply = next_here(&w);
  CHECK(reply.type == WEFT_EVENT_REPLY && reply.about == call && reply.user == 7 && reply.code == WEFT_OK);
  CHECK(same(reply.data, reply.data_size, "\x0a\x03hi!"));
  const weft_metadata *table = find(reply.headers, reply.headers_count, "x-table");
  CHECK(table != NULL && same(table->value, table->value_size, "12"));
  const weft_metadata *cost = find(reply.trailers, reply.trailers_count, "x-cost-bin");
  CHECK(cost != NULL && cost->value_size == 2 && memcmp(cost->value, "\0\1", 2) == 0);
  FAILS(weft_cancel(call), WEFT_BAD_HANDLE, "is closed");
  end_world(&w);
}

static void a_call_in_json(int workers) {
  struct world w = make_world(workers, (weft_service_options){.format = WEFT_JSON});
  weft_call_options json = {.size = sizeof json, .format = WEFT_JSON};
  FAILS(weft_call(w.peer, "test.v1.Echo/Say", "{}", 2, &json, NULL), WEFT_FAILED_PRECONDITION, "types of test.v1.Echo/Say");
  FAILS(weft_types_add(w.here, "\xff", 1), WEFT_INVALID_ARGUMENT, "no FileDescriptorSet");
  FAILS(weft_types_load(w.here, "/nowhere"), WEFT_NOT_FOUND, "/nowhere");
  OK(weft_types_load(w.here, descriptors));
  OK(weft_types_load(w.here, descriptors)); /* what is known is skipped */
  FAILS(weft_call(w.peer, "test.v1.Echo/Say", "{\"texd\": 1}", 11, &json, NULL), WEFT_INVALID_ARGUMENT, "texd");
  OK(weft_alias(w.here, "echo", "test.v1.Echo"));
  OK(weft_call(w.peer, "echo.Say", "{\"text\": \"hi\"}", 14, &json, NULL));
  weft_event asked = next_there(&w);
  CHECK(asked.type == WEFT_EVENT_REQUEST && strcmp(asked.data, "{\"text\":\"hi\"}") == 0);
  FAILS(weft_reply(asked.about, "{\"txt\": 1}", 10, NULL), WEFT_INVALID_ARGUMENT, "txt");
  OK(weft_reply(asked.about, "{\"text\": \"hi!\"}", 15, NULL));
  weft_event reply = next_here(&w);
  CHECK(reply.type == WEFT_EVENT_REPLY && reply.code == WEFT_OK && strcmp(reply.data, "{\"text\":\"hi!\"}") == 0);
  end_world(&w);
}

static void an_error_comes_as_it_is(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  OK(weft_call(w.peer, "test.v1.Echo.Say", HI, NULL, NULL));
  weft_event asked = next_there(&w);
  FAILS(weft_fail(asked.about, WEFT_OK, "", NULL), WEFT_INVALID_ARGUMENT, "0 is no code of an error");
  const char details[] = "\x08\x05\x12\x07no room"; /* google.rpc.Status: 5, "no room" */
  weft_reply_options answer = {.size = sizeof answer, .details = details, .details_size = sizeof details - 1};
  OK(weft_fail(asked.about, WEFT_NOT_FOUND, "no room", &answer));
  weft_event reply = next_here(&w);
  CHECK(reply.code == WEFT_NOT_FOUND && strcmp(reply.text, "no room") == 0 && reply.may_have_run == 1);
  CHECK(same(reply.details, reply.details_size, details));

  OK(weft_call(w.peer, "test.v1.Echo.Sing", HI, NULL, NULL));
  reply = next_here(&w);
  CHECK(reply.code == WEFT_UNIMPLEMENTED);
  FAILS(weft_call(w.peer, "sing", HI, NULL, NULL), WEFT_INVALID_ARGUMENT, "names no method");
  FAILS(weft_call(w.peer, NULL, HI, NULL, NULL), WEFT_INVALID_ARGUMENT, "names no method");
  FAILS(weft_call(w.peer, "test.v1.Echo.Say", "\xff", 1, NULL, NULL), WEFT_INVALID_ARGUMENT, "no message");
  FAILS(weft_call(w.peer, "test.v1.Echo.Say", NULL, 3, NULL, NULL), WEFT_INVALID_ARGUMENT, "request is NULL");
  end_world(&w);
}

static void nobody_waits_any_more(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  weft_call_options soon = {.size = sizeof soon, .deadline_ms = 1000}; /* it has to reach the service */
  OK(weft_call(w.peer, "test.v1.Echo.Say", HI, &soon, NULL));
  weft_event reply = next_here(&w);
  CHECK(reply.code == WEFT_DEADLINE_EXCEEDED);
  weft_event asked = next_there(&w);
  CHECK(asked.type == WEFT_EVENT_REQUEST);
  const weft_handle late = asked.about;
  weft_event gone = next_there(&w);
  CHECK(gone.type == WEFT_EVENT_REQUEST_CANCELLED && gone.about == late);
  FAILS(weft_reply(late, NULL, 0, NULL), WEFT_BAD_HANDLE, "is closed");

  weft_handle call = 0;
  OK(weft_call(w.peer, "test.v1.Echo.Say", HI, NULL, &call));
  asked = next_there(&w);
  const weft_handle unwanted = asked.about;
  OK(weft_cancel(call));
  reply = next_here(&w);
  CHECK(reply.code == WEFT_CANCELLED && reply.about == call);
  if (workers == 0) { /* the event is there, and was not polled */
    int code = WEFT_OK;
    const double late_by = seconds_now() + 20;
    while (seconds_now() < late_by) { /* an answer that is on its way is lost with its call */
      turn(&w, w.there);
      weft_event next = {.size = sizeof next};
      OK(weft_poll(w.there, &next));
      if (next.type == WEFT_EVENT_REQUEST_CANCELLED) break;
      code = weft_stream_write(unwanted, NULL, 0);
      CHECK(code != WEFT_BAD_HANDLE);
    }
  } else {
    gone = next_there(&w);
    CHECK(gone.type == WEFT_EVENT_REQUEST_CANCELLED && gone.about == unwanted);
  }
  end_world(&w);
}

static void a_stream_both_ways(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  weft_call_options options = {.size = sizeof options, .user = 9, .deadline_ms = -1};
  weft_handle stream = 0;
  OK(weft_stream_open(w.peer, "test.v1.Echo.Talk", &options, &stream));
  OK(weft_stream_write(stream, HI));
  weft_event asked = next_there(&w);
  CHECK(asked.type == WEFT_EVENT_REQUEST && asked.streams == 1 && asked.time_left_us == -1);
  const weft_handle request = asked.about;
  weft_event heard = next_there(&w);
  CHECK(heard.type == WEFT_EVENT_STREAM_MESSAGE && heard.about == request && same(heard.data, heard.data_size, hi));
  OK(weft_stream_write(request, "\x0a\x01" "a", 3));
  weft_event told = next_here(&w);
  CHECK(told.type == WEFT_EVENT_STREAM_MESSAGE && told.about == stream && told.user == 9);
  CHECK(same(told.data, told.data_size, "\x0a\x01" "a"));
  OK(weft_stream_writes_done(stream));
  FAILS(weft_stream_write(stream, HI), WEFT_FAILED_PRECONDITION, "after the last message");
  heard = next_there(&w);
  CHECK(heard.type == WEFT_EVENT_STREAM_DONE && heard.about == request);
  OK(weft_stream_write(request, "\x0a\x01" "b", 3));
  const weft_metadata trailer = {"x-heard", "1", 1};
  weft_reply_options answer = {.size = sizeof answer, .trailers = &trailer, .trailers_count = 1};
  OK(weft_fail(request, WEFT_OUT_OF_RANGE, "enough", &answer));
  told = next_here(&w);
  CHECK(told.type == WEFT_EVENT_STREAM_MESSAGE && same(told.data, told.data_size, "\x0a\x01" "b"));
  told = next_here(&w);
  CHECK(told.type == WEFT_EVENT_STREAM_END && told.about == stream && told.code == WEFT_OUT_OF_RANGE);
  CHECK(strcmp(told.text, "enough") == 0 && find(told.trailers, told.trailers_count, "x-heard") != NULL);
  FAILS(weft_stream_write(stream, HI), WEFT_BAD_HANDLE, "is closed");

  /* A single reply to many requests. */
  OK(weft_stream_open(w.peer, "test.v1.Echo.Join", NULL, &stream));
  for (int i = 0; i < 3; ++i) OK(weft_stream_write(stream, HI));
  OK(weft_stream_writes_done(stream));
  asked = next_there(&w);
  const weft_handle join = asked.about;
  for (int i = 0; i < 3; ++i) CHECK(next_there(&w).type == WEFT_EVENT_STREAM_MESSAGE);
  CHECK(next_there(&w).type == WEFT_EVENT_STREAM_DONE);
  OK(weft_reply(join, HI, NULL));
  told = next_here(&w);
  CHECK(told.type == WEFT_EVENT_STREAM_MESSAGE && same(told.data, told.data_size, hi));
  told = next_here(&w);
  CHECK(told.type == WEFT_EVENT_STREAM_END && told.code == WEFT_OK);
  end_world(&w);
}

static void streams_are_bounded(int workers) {
  struct world w = make_world(workers, (weft_service_options){.write_ahead = 4});
  weft_call_options options = {.size = sizeof options, .deadline_ms = -1, .read_ahead = 2};
  weft_handle stream = 0;
  OK(weft_stream_open(w.peer, "test.v1.Echo.Repeat", &options, &stream));
  OK(weft_stream_write(stream, HI));
  OK(weft_stream_writes_done(stream));
  weft_event asked = next_there(&w);
  const weft_handle request = asked.about;
  CHECK(next_there(&w).type == WEFT_EVENT_STREAM_MESSAGE);
  CHECK(next_there(&w).type == WEFT_EVENT_STREAM_DONE);
  /* Nobody reads: what is between is filled, large messages soon. */
  enum { large = 100000 };
  static char message[large];
  memset(message, 'x', large);
  memcpy(message, "\x0a\x9c\x8d\x06", 4); /* text = 1, of 99,996 bytes */
  int written = 0, code;
  for (double until = seconds_now() + 20; seconds_now() < until;) {
    code = weft_stream_write(request, message, large);
    if (code == WEFT_OK) ++written;
    else CHECK(code == WEFT_RESOURCE_EXHAUSTED);
    if (workers == 0) turn(&w, w.there);
    if (written >= 8 && code == WEFT_RESOURCE_EXHAUSTED) break;
  }
  CHECK(written >= 8 && written < 1000);
  int read = 0;
  weft_event told = next_here(&w);
  for (; read < written; ++read) {
    CHECK(told.type == WEFT_EVENT_STREAM_MESSAGE && told.data_size == large);
    if (read == written - 1) OK(weft_reply(request, NULL, 0, NULL));
    told = next_here(&w);
  }
  CHECK(told.type == WEFT_EVENT_STREAM_END && told.code == WEFT_OK);
  weft_event writable = next_there(&w);
  CHECK(writable.type == WEFT_EVENT_STREAM_WRITABLE && writable.about == request);
  end_world(&w);
}

static void a_stream_ends_early(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  weft_handle stream = 0;
  OK(weft_stream_open(w.peer, "test.v1.Echo.Talk", NULL, &stream));
  OK(weft_stream_write(stream, HI));
  weft_event asked = next_there(&w);
  const weft_handle request = asked.about;
  CHECK(next_there(&w).type == WEFT_EVENT_STREAM_MESSAGE);
  OK(weft_cancel(stream));
  weft_event end = next_here(&w);
  CHECK(end.type == WEFT_EVENT_STREAM_END && end.code == WEFT_CANCELLED);
  weft_event gone = next_there(&w);
  CHECK(gone.type == WEFT_EVENT_REQUEST_CANCELLED && gone.about == request);

  /* Replies that are not wanted. */
  OK(weft_stream_open(w.peer, "test.v1.Echo.Talk", NULL, &stream));
  asked = next_there(&w);
  OK(weft_stream_finish(stream));
  CHECK(next_there(&w).type == WEFT_EVENT_STREAM_DONE);
  for (int i = 0; i < 30; ++i) OK(weft_stream_write(asked.about, HI));
  OK(weft_reply(asked.about, NULL, 0, NULL));
  end = next_here(&w);
  CHECK(end.type == WEFT_EVENT_STREAM_END && end.code == WEFT_OK);
  end_world(&w);
}

static void what_is_no_json_names_the_field(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  OK(weft_types_load(w.here, descriptors));
  weft_call_options json = {.size = sizeof json, .format = WEFT_JSON};
  weft_handle stream = 0;
  OK(weft_stream_open(w.peer, "test.v1.Echo.Talk", &json, &stream));
  weft_event asked = next_there(&w);
  OK(weft_stream_write(asked.about, "\x0a\x01\xff", 3));
  weft_event end = next_here(&w);
  CHECK(end.type == WEFT_EVENT_STREAM_END && end.code == WEFT_INTERNAL);
  TEXT_HAS(end, "test.v1.EchoReply: text (no UTF-8)");
  CHECK(next_there(&w).type == WEFT_EVENT_REQUEST_CANCELLED);

  OK(weft_call(w.peer, "test.v1.Echo.Say", "{}", 2, &json, NULL));
  asked = next_there(&w);
  OK(weft_reply(asked.about, "\x0a\x01\xff", 3, NULL));
  weft_event reply = next_here(&w);
  CHECK(reply.code == WEFT_INTERNAL);
  TEXT_HAS(reply, "test.v1.EchoReply: text (no UTF-8)");
  end_world(&w);

  /* The other way round: a request that is none is its caller's fault. */
  w = make_world(workers, (weft_service_options){.format = WEFT_JSON});
  OK(weft_call(w.peer, "test.v1.Echo.Say", "\x0a\x01\xff", 3, NULL, NULL));
  reply = next_here(&w);
  CHECK(reply.code == WEFT_INVALID_ARGUMENT);
  TEXT_HAS(reply, "test.v1.EchoRequest: text (no UTF-8)");
  end_world(&w);
}

static void sessions_keep_the_order_of_a_key(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  weft_handle session = 0, mine = 0;
  weft_service_options options = {.size = sizeof options, .methods = methods, .methods_count = 1};
  OK(weft_service_create(w.here, "test.v1.Back", &options, &mine));
  weft_session_options offers = {.size = sizeof offers, .services = &mine, .services_count = 1};
  OK(weft_session_open(w.peer, &offers, &session));
  enum { calls = 100 };
  for (int i = 0; i < calls; ++i) {
    const char request[] = {0x0a, 1, (char)(' ' + i % 64)};
    weft_call_options keyed = {.size = sizeof keyed, .key = 42, .user = (uint64_t)i};
    OK(weft_call(session, "test.v1.Echo.Say", request, sizeof request, &keyed, NULL));
  }
  for (int i = 0; i < calls; ++i) {
    weft_event asked = next_there(&w);
    CHECK(asked.type == WEFT_EVENT_REQUEST && asked.data[2] == (char)(' ' + i % 64));
    OK(weft_reply(asked.about, asked.data, asked.data_size, NULL));
  }
  for (int i = 0; i < calls; ++i) CHECK(next_here(&w).code == WEFT_OK);
  int state = -1;
  OK(weft_session_state(session, &state));
  CHECK(state == WEFT_SESSION_OPEN);

  /* The server calls back, on behalf of the request. */
  OK(weft_call(session, "test.v1.Echo.Say", HI, NULL, NULL));
  weft_event asked = next_there(&w);
  const weft_handle request = asked.about;
  OK(weft_call(request, "test.v1.Back.Say", HI, NULL, NULL));
  weft_event back = next_here(&w);
  CHECK(back.type == WEFT_EVENT_REQUEST && back.service == mine && same(back.data, back.data_size, hi));
  OK(weft_reply(back.about, "\x0a\x02ho", 4, NULL));
  weft_event answer = next_there(&w);
  CHECK(answer.type == WEFT_EVENT_REPLY && answer.code == WEFT_OK && same(answer.data, answer.data_size, "\x0a\x02ho"));
  OK(weft_reply(request, NULL, 0, NULL));
  CHECK(next_here(&w).code == WEFT_OK);

  FAILS(weft_close(mine), WEFT_FAILED_PRECONDITION, "is offered");
  OK(weft_close(session));
  OK(weft_close(mine));
  FAILS(weft_session_state(session, &state), WEFT_BAD_HANDLE, "is closed");
  end_world(&w);
}

static void a_lane_without_gaps_stops(int workers) {
  struct world w = make_world(workers, (weft_service_options){.exclusive = 1});
  weft_handle session = 0;
  OK(weft_session_open(w.peer, NULL, &session));
  weft_call_options first = {.size = sizeof first, .key = 1, .gapless = 1, .deadline_ms = 50};
  weft_call_options second = first;
  second.deadline_ms = 0;
  OK(weft_call(session, "test.v1.Echo.Say", HI, NULL, NULL)); /* it is open then, so that what follows is sent at once */
  weft_event asked = next_there(&w);
  OK(weft_reply(asked.about, NULL, 0, NULL));
  CHECK(next_here(&w).code == WEFT_OK);
  weft_handle blocker = 0;
  OK(weft_call(w.peer, "test.v1.Echo.Say", HI, NULL, &blocker)); /* the service is busy with it */
  asked = next_there(&w);
  const weft_handle busy = asked.about;
  OK(weft_call(session, "test.v1.Echo.Say", HI, &first, NULL));
  OK(weft_call(session, "test.v1.Echo.Say", HI, &second, NULL));
  weft_event end = next_here(&w);
  CHECK(end.code == WEFT_DEADLINE_EXCEEDED);
  end = next_here(&w);
  CHECK(end.code == WEFT_ABORTED && end.may_have_run == 0);
  OK(weft_reply(busy, NULL, 0, NULL));
  CHECK(next_here(&w).about == blocker);
  OK(weft_session_resume(session, 1));
  OK(weft_call(session, "test.v1.Echo.Say", HI, &second, NULL));
  asked = next_there(&w);
  while (asked.type == WEFT_EVENT_REQUEST_CANCELLED) asked = next_there(&w);
  OK(weft_reply(asked.about, NULL, 0, NULL));
  CHECK(next_here(&w).code == WEFT_OK);
  end_world(&w);
}

static void routes_and_aliases(int workers) {
  struct world w = {.workers = workers};
  w.here = make_runtime(workers);
  weft_service_options options = {.size = sizeof options, .methods = methods, .methods_count = COUNT(methods)};
  OK(weft_service_create(w.here, "test.v1.Echo", &options, &w.service));
  FAILS(weft_call(w.here, "test.v1.Echo.Say", HI, NULL, NULL), WEFT_NOT_FOUND, "no route for test.v1.Echo; there are none");
  OK(weft_route(w.here, "test.v1.Echo", w.service));
  OK(weft_alias(w.here, "echo", "test.v1.Echo"));
  FAILS(weft_alias(w.here, "e cho", "test.v1.Echo"), WEFT_INVALID_ARGUMENT, "e cho");
  FAILS(weft_route(w.here, "", w.service), WEFT_INVALID_ARGUMENT, "no service's full name");
  FAILS(weft_route(w.here, "test.v1.Echo", w.here), WEFT_BAD_HANDLE, "is a runtime");
  OK(weft_call(w.here, "echo.Say", HI, NULL, NULL));
  weft_event asked = next_here(&w);
  CHECK(asked.type == WEFT_EVENT_REQUEST && strcmp(asked.peer, "local") == 0);
  OK(weft_reply(asked.about, asked.data, asked.data_size, NULL));
  weft_event reply = next_here(&w);
  CHECK(reply.type == WEFT_EVENT_REPLY && reply.code == WEFT_OK && same(reply.data, reply.data_size, hi));

  weft_handle stream = 0;
  OK(weft_stream_open(w.here, "echo.Talk", NULL, &stream));
  OK(weft_stream_write(stream, HI));
  asked = next_here(&w);
  const weft_handle request = asked.about;
  CHECK(asked.type == WEFT_EVENT_REQUEST && asked.streams == 1);
  weft_event heard = next_here(&w);
  CHECK(heard.type == WEFT_EVENT_STREAM_MESSAGE && heard.about == request);
  OK(weft_reply(request, NULL, 0, NULL));
  CHECK(next_here(&w).type == WEFT_EVENT_STREAM_END);

  /* Those on behalf of a request end with it. */
  weft_handle outer = 0;
  OK(weft_call(w.here, "echo.Say", HI, NULL, &outer));
  asked = next_here(&w);
  weft_call_options behalf = {.size = sizeof behalf, .request = asked.about};
  weft_handle inner = 0;
  OK(weft_call(w.here, "echo.Say", HI, &behalf, &inner));
  CHECK(next_here(&w).type == WEFT_EVENT_REQUEST);
  OK(weft_cancel(outer));
  int cancelled = 0, ended = 0;
  for (int i = 0; i < 4; ++i) { /* two requests and two calls, in whichever order */
    weft_event event = next_here(&w);
    if (event.type == WEFT_EVENT_REQUEST_CANCELLED) ++cancelled;
    if (event.type == WEFT_EVENT_REPLY && event.code == WEFT_CANCELLED) ++ended;
  }
  CHECK(cancelled == 2 && ended == 2);
  OK(weft_close(w.service));
  OK(weft_call(w.here, "echo.Say", HI, NULL, NULL));
  CHECK(next_here(&w).code == WEFT_UNAVAILABLE);
  OK(weft_runtime_destroy(w.here));
}

static void tls_both_ways(int workers) {
  char ca[256], certificate[256], key[256], client[256], client_key[256];
  snprintf(ca, sizeof ca, "%s/ca.pem", certificates);
  snprintf(certificate, sizeof certificate, "%s/server.pem", certificates);
  snprintf(key, sizeof key, "%s/server.key", certificates);
  snprintf(client, sizeof client, "%s/client.pem", certificates);
  snprintf(client_key, sizeof client_key, "%s/client.key", certificates);
  struct world w = {.workers = workers};
  w.there = make_runtime(workers);
  weft_service_options options = {.size = sizeof options, .methods = methods, .methods_count = 1};
  OK(weft_service_create(w.there, "test.v1.Echo", &options, &w.service));
  weft_server_options served = {.size = sizeof served,
                                .services = &w.service,
                                .services_count = 1,
                                .tls_certificate = "/nowhere.pem",
                                .tls_key = key,
                                .tls_client_authorities = ca};
  FAILS(weft_server_start(w.there, &served, &w.server), WEFT_INVALID_ARGUMENT, "/nowhere.pem");
  served.tls_certificate = certificate;
  OK(weft_server_start(w.there, &served, &w.server));
  FAILS(weft_server_start(w.there, &served, &w.server), WEFT_FAILED_PRECONDITION, "has or had a server");
  int port = 0;
  OK(weft_server_port(w.server, 0, &port));
  FAILS(weft_server_port(w.server, 1, &port), WEFT_OUT_OF_RANGE, "has 1 addresses");
  char address[64];
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  w.here = make_runtime(workers);
  weft_peer_options peer = {.size = sizeof peer, .tls = 1, .tls_authorities = "/nowhere.pem"};
  FAILS(weft_peer_open(w.here, address, &peer, &w.peer), WEFT_INVALID_ARGUMENT, "/nowhere.pem");
  peer.tls_authorities = ca;
  peer.tls_certificate = client;
  peer.tls_key = client_key;
  OK(weft_peer_open(w.here, address, &peer, &w.peer));
  OK(weft_call(w.peer, "test.v1.Echo.Say", HI, NULL, NULL));
  weft_event asked = next_there(&w);
  CHECK(strcmp(asked.identity, "spiffe://test/client") == 0);
  OK(weft_reply(asked.about, NULL, 0, NULL));
  CHECK(next_here(&w).code == WEFT_OK);
  OK(weft_server_stop(w.server, 0));
  end_world(&w);
}

/* A server in C++, with reflection. */
static void a_server_of_another_kind(int workers) {
  struct world w = {.workers = workers};
  w.here = make_runtime(workers);
  OK(weft_peer_open(w.here, echo_address, NULL, &w.peer));
  weft_call_options json = {.size = sizeof json, .format = WEFT_JSON, .wait_for_ready = 1};
  FAILS(weft_call(w.peer, "test.v1.Echo.Say", "{}", 2, &json, NULL), WEFT_FAILED_PRECONDITION, "not known");
  OK(weft_types_ask(w.peer, "test.v1.Nobody", &json, NULL));
  CHECK(next_here(&w).code == WEFT_NOT_FOUND);
  weft_handle asking = 0;
  OK(weft_types_ask(w.peer, "test.v1.Echo", NULL, &asking));
  weft_event known = next_here(&w);
  CHECK(known.type == WEFT_EVENT_REPLY && known.about == asking && known.code == WEFT_OK);
  OK(weft_call(w.peer, "test.v1.Echo.Say", "{\"text\":\"hi\"}", 13, &json, NULL));
  weft_event reply = next_here(&w);
  CHECK(reply.code == WEFT_OK && strstr(reply.data, "\"text\":\"hi\"") != NULL);

  /* Headers of a stream, before its first message. */
  const weft_metadata sent[] = {{"x-header", "early", 5}, {"x-trailer-bin", "late", 4}, {"x-at-once", "1", 1}};
  weft_call_options options = json;
  options.metadata = sent;
  options.metadata_count = COUNT(sent);
  weft_handle stream = 0;
  OK(weft_stream_open(w.peer, "test.v1.Echo.Talk", &options, &stream));
  weft_event headers = next_here(&w);
  CHECK(headers.type == WEFT_EVENT_STREAM_HEADERS && headers.about == stream);
  const weft_metadata *early = find(headers.headers, headers.headers_count, "x-header");
  CHECK(early != NULL && same(early->value, early->value_size, "early"));
  OK(weft_stream_write(stream, "{\"text\":\"a\"}", 12));
  CHECK(next_here(&w).type == WEFT_EVENT_STREAM_MESSAGE);
  FAILS(weft_stream_write(stream, "{\"texd\":1}", 10), WEFT_INVALID_ARGUMENT, "texd");
  OK(weft_stream_write(stream, "{\"text\":\"bye\"}", 14));
  weft_event end = next_here(&w);
  if (end.type == WEFT_EVENT_STREAM_MESSAGE) end = next_here(&w);
  CHECK(end.type == WEFT_EVENT_STREAM_END && end.code == WEFT_OK);
  CHECK(find(end.trailers, end.trailers_count, "x-trailer-bin") != NULL);

  OK(weft_stream_open(w.peer, "test.v1.Echo.Repeat", &json, &stream));
  OK(weft_stream_write(stream, "{\"text\":\"malformed\",\"times\":3}", 30));
  OK(weft_stream_writes_done(stream));
  end = next_here(&w);
  CHECK(end.type == WEFT_EVENT_STREAM_END && end.code == WEFT_INTERNAL);
  TEXT_HAS(end, "text (no UTF-8)");
  OK(weft_runtime_destroy(w.here));
}

/* A gate that a test plays: it accepts players on a free port. */
static int gate_listen(char *address, size_t size) {
  const int gate = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  CHECK(bind(gate, (struct sockaddr *)&at, sizeof at) == 0 && listen(gate, 8) == 0);
  CHECK(getsockname(gate, (struct sockaddr *)&at, &length) == 0);
  snprintf(address, size, "127.0.0.1:%d", ntohs(at.sin_port));
  return gate;
}

/* Lets the player's side work until there is something at `fd`. */
static void gate_wait(const struct world *w, int fd) {
  for (const double late = seconds_now() + 20;;) {
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    if (w->workers == 0) OK(weft_pump(w->here, 2000, 0, NULL));
    CHECK(poll(&waited, 1, w->workers == 0 ? 1 : 20000) >= 0);
    if (waited.revents != 0) return;
    CHECK(seconds_now() < late);
  }
}

static int gate_accept(const struct world *w, int gate) {
  gate_wait(w, gate);
  const int player = accept(gate, NULL, NULL);
  CHECK(player >= 0);
  return player;
}

/* The next command is `wanted`, which ends with its number. */
static void gate_hears(const struct world *w, int player, const char *wanted, size_t size) {
  unsigned char frame[256];
  for (size_t got = 0; got < size + 4;) {
    gate_wait(w, player);
    const ssize_t n = recv(player, frame + got, size + 4 - got, 0);
    CHECK(n > 0);
    got += (size_t)n;
  }
  CHECK(frame[0] == 0 && frame[1] == 0 && frame[2] == 0 && frame[3] == size);
  CHECK(memcmp(frame + 4, wanted, size) == 0);
}
#define HEARS(player, wanted) gate_hears(&w, player, wanted, sizeof wanted - 1)

static void gate_says(int player, const char *message, size_t size) {
  char frame[256] = {0, 0, 0, (char)size};
  CHECK(size < sizeof frame - 4);
  memcpy(frame + 4, message, size);
  CHECK(send(player, frame, size + 4, MSG_NOSIGNAL) == (ssize_t)size + 4);
}
#define SAYS(player, message) gate_says(player, message, sizeof message - 1)

static weft_handle ask(weft_handle link, const char *command, size_t size, uint64_t key) {
  weft_call_options options = {.size = sizeof options, .key = key, .user = 5, .deadline_ms = 60000};
  weft_handle call = 0;
  OK(weft_link_ask(link, command, size, &options, &call));
  return call;
}
#define ASK(link, command, key) ask(link, command, sizeof command - 1, key)

static void a_link_asks_a_gate(int workers) {
  struct world w = {.workers = workers};
  w.here = make_runtime(workers);
  char address[64];
  const int gate = gate_listen(address, sizeof address);
  weft_handle link = 0, call = 0;
  weft_link_options options = {.size = sizeof options, .user = 3, .sent_type = "test.v1.GateCommand",
                               .received_type = "test.v1.GateMessage"};
  FAILS(weft_link_open(w.here, address, &options, &link), WEFT_FAILED_PRECONDITION, "test.v1.GateCommand is not known");
  OK(weft_types_load(w.here, descriptors));
  OK(weft_link_open(w.here, address, &options, &link));
  weft_event event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_LINK_OPEN && event.about == link && event.user == 3 && event.data_size == 0);
  const int player = gate_accept(&w, gate);
  const weft_handle one = ASK(link, "{\"text\":\"hi\"}", 0), two = ASK(link, "{\"text\":\"you\"}", 0);
  FAILS(weft_link_ask(link, "{\"texd\":1}", 10, NULL, NULL), WEFT_INVALID_ARGUMENT, "texd");
  weft_call_options untold = {.size = sizeof untold, .one_way = 1};
  OK(weft_link_ask(link, "{}", 2, &untold, NULL));
  HEARS(player, "\x22\2hi\x08\1");
  HEARS(player, "\x22\3you\x08\2");
  HEARS(player, "\x08\3");
  SAYS(player, "\x08\3");
  SAYS(player, "\x22\2ho\x08\2");
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_REPLY && event.about == two && event.user == 5 && event.code == WEFT_OK);
  CHECK(strcmp(event.data, "{\"replyTo\":\"2\",\"text\":\"ho\"}") == 0 && event.may_have_run == 1);
  SAYS(player, "\x22\4said");
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_STREAM_MESSAGE && event.about == link && event.code == WEFT_OK);
  CHECK(strcmp(event.data, "{\"text\":\"said\"}") == 0);
  SAYS(player, "\x08\1\x10\5\x1a\7no card");
  event = next_here(&w);
  CHECK(event.about == one && event.code == WEFT_NOT_FOUND && strcmp(event.text, "no card") == 0);
  CHECK(event.may_have_run == 1);

  call = ASK(link, "{}", 0);
  HEARS(player, "\x08\4");
  OK(weft_cancel(call));
  event = next_here(&w);
  CHECK(event.about == call && event.code == WEFT_CANCELLED);
  FAILS(weft_stream_write(link, "{}", 2), WEFT_BAD_HANDLE, "is a link");
  FAILS(weft_call(link, "a.B/C", NULL, 0, NULL, NULL), WEFT_BAD_HANDLE, "is a link");
  FAILS(weft_link_ask(w.here, NULL, 0, NULL, NULL), WEFT_BAD_HANDLE, "is a runtime");

  SAYS(player, "\x22\1\xff");
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_STREAM_END && event.code == WEFT_INTERNAL && event.about == link);
  TEXT_HAS(event, "text (no UTF-8)");
  FAILS(weft_link_ask(link, NULL, 0, NULL, NULL), WEFT_BAD_HANDLE, "is closed");
  close(player);
  close(gate);
  OK(weft_runtime_destroy(w.here));
}

static void a_link_connects_again(int workers) {
  struct world w = {.workers = workers};
  w.here = make_runtime(workers);
  char address[64];
  int gate = gate_listen(address, sizeof address);
  weft_handle link = 0;
  const weft_link_options options = {
      .size = sizeof options, .greeting = "\x22\2me", .greeting_size = 4, .first_wait_ms = 1, .longest_wait_ms = 20};
  OK(weft_link_open(w.here, address, &options, &link));
  int player = gate_accept(&w, gate);
  weft_handle call = ASK(link, "\x22\3one", 0);
  HEARS(player, "\x22\2me\x08\1");
  SAYS(player, "\x22\5hello\x08\1");
  weft_event event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_LINK_OPEN && same(event.data, event.data_size, "\x22\5hello\x08\1"));
  HEARS(player, "\x22\3one\x08\2"); /* not before the greeting was answered */
  close(player);
  int ended = 0, lost = 0;
  while (ended == 0 || lost == 0) {
    event = next_here(&w);
    CHECK(event.code == WEFT_UNAVAILABLE);
    if (event.type == WEFT_EVENT_REPLY && event.about == call && event.may_have_run == 1) ++ended;
    if (event.type == WEFT_EVENT_LINK_LOST && event.about == link) ++lost;
  }
  CHECK(ended == 1 && lost == 1);
  call = ASK(link, "\x22\3two", 0);
  player = gate_accept(&w, gate);
  HEARS(player, "\x22\2me\x08\3");
  SAYS(player, "\x08\3");
  CHECK(next_here(&w).type == WEFT_EVENT_LINK_OPEN);
  HEARS(player, "\x22\3two\x08\4");
  SAYS(player, "\x08\4");
  event = next_here(&w);
  CHECK(event.about == call && event.code == WEFT_OK);

  /* Its end takes commands with it, and what was sent is out before. */
  call = ASK(link, "\x22\5three", 0);
  const weft_handle never = ASK(link, "x", 1);
  OK(weft_cancel(never));
  event = next_here(&w);
  CHECK(event.about == never && event.code == WEFT_CANCELLED);
  OK(weft_cancel(link));
  event = next_here(&w);
  CHECK(event.about == call && event.code == WEFT_CANCELLED);
  const weft_handle late = ASK(link, "\x22\4late", 0);
  HEARS(player, "\x22\5three\x08\5");
  for (ended = 0; ended < 2; ++ended) { /* which was too late, and the link's end */
    event = next_here(&w);
    CHECK(event.about == late ? event.code == WEFT_UNAVAILABLE && event.may_have_run == 0
                              : event.type == WEFT_EVENT_STREAM_END && event.code == WEFT_CANCELLED);
  }
  close(player);

  /* A greeting that is refused; one whose refusal passes; a gate that is not there. */
  OK(weft_link_open(w.here, address, &options, &link));
  player = gate_accept(&w, gate);
  HEARS(player, "\x22\2me\x08\1");
  SAYS(player, "\x08\1\x10\x0e\x1a\4full"); /* UNAVAILABLE */
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_LINK_LOST && event.code == WEFT_UNAVAILABLE && strcmp(event.text, "full") == 0);
  close(player);
  player = gate_accept(&w, gate);
  HEARS(player, "\x22\2me\x08\2");
  SAYS(player, "\x08\2\x10\7\x1a\6banned"); /* PERMISSION_DENIED */
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_STREAM_END && event.code == WEFT_PERMISSION_DENIED && strcmp(event.text, "banned") == 0);
  close(player);
  close(gate);
  OK(weft_link_open(w.here, address, &options, &link));
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_LINK_LOST && event.code == WEFT_UNAVAILABLE);
  weft_call_options soon = {.size = sizeof soon, .deadline_ms = 30};
  OK(weft_link_ask(link, NULL, 0, &soon, NULL));
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_REPLY && event.code == WEFT_DEADLINE_EXCEEDED && event.may_have_run == 0);
  OK(weft_link_open(w.here, "nowhere", NULL, &link));
  event = next_here(&w);
  CHECK(event.type == WEFT_EVENT_STREAM_END && event.about == link && event.code == WEFT_INVALID_ARGUMENT);
  OK(weft_runtime_destroy(w.here));
}

static void commands_of_a_key_follow_each_other(int workers) {
  struct world w = {.workers = workers};
  w.here = make_runtime(workers);
  char address[64];
  const int gate = gate_listen(address, sizeof address);
  weft_handle link = 0;
  OK(weft_link_open(w.here, address, NULL, &link));
  const int player = gate_accept(&w, gate);
  CHECK(next_here(&w).type == WEFT_EVENT_LINK_OPEN);
  const weft_handle one = ASK(link, "\x22\1a", 7), two = ASK(link, "\x22\1b", 7), other = ASK(link, "\x22\1c", 8);
  HEARS(player, "\x22\1a\x08\1");
  HEARS(player, "\x22\1c\x08\2");
  SAYS(player, "\x08\1");
  CHECK(next_here(&w).about == one);
  HEARS(player, "\x22\1b\x08\3");
  SAYS(player, "\x08\3");
  CHECK(next_here(&w).about == two);
  SAYS(player, "\x08\2");
  CHECK(next_here(&w).about == other);
  close(player); /* for which the runtime's end would wait */
  close(gate);
  OK(weft_runtime_destroy(w.here));
}

static void a_link_drops_the_oldest_of_what_is_not_polled(int workers) {
  struct world w = {.workers = workers};
  w.here = make_runtime(workers);
  char address[64];
  const int gate = gate_listen(address, sizeof address);
  weft_handle link = 0;
  const weft_link_options options = {.size = sizeof options, .read_ahead = 2, .first_wait_ms = 1};
  OK(weft_link_open(w.here, address, &options, &link));
  const int player = gate_accept(&w, gate);
  enum { said = 40 };
  for (char i = 1; i <= said; ++i) {
    const char message[] = {'\x22', 1, i};
    gate_says(player, message, sizeof message);
  }
  close(player);
  const int again = gate_accept(&w, gate); /* so it has heard all */
  CHECK(next_here(&w).type == WEFT_EVENT_LINK_OPEN);
  int heard = 0, last = 0, gaps = 0;
  weft_event event = next_here(&w);
  for (; event.type == WEFT_EVENT_STREAM_MESSAGE; event = next_here(&w), ++heard) {
    const int number = event.data[2];
    CHECK((event.code == WEFT_DATA_LOSS) == (number != last + 1));
    if (event.code == WEFT_DATA_LOSS) ++gaps;
    last = number;
  }
  CHECK(last == said && gaps == 1 && heard < said);
  CHECK(event.type == WEFT_EVENT_LINK_LOST);
  CHECK(next_here(&w).type == WEFT_EVENT_LINK_OPEN);
  close(again);
  close(gate);
  OK(weft_runtime_destroy(w.here));
}

static void misuse_is_an_error(int workers) {
  struct world w = make_world(workers, (weft_service_options){0});
  weft_event event = {.size = sizeof event};
  int number = 0;
  weft_handle made = 0;
  const weft_handle bad[] = {0, 1, UINT64_MAX, w.service + 16000};
  for (size_t i = 0; i < COUNT(bad); ++i) {
    const weft_handle h = bad[i];
#define BAD(call) FAILS(call, WEFT_BAD_HANDLE, "is closed, or never was one")
    BAD(weft_runtime_destroy(h));
    BAD(weft_pump(h, 0, 0, NULL));
    BAD(weft_wake_fd(h, &number));
    BAD(weft_alias(h, "a", "b"));
    BAD(weft_route(h, "a.B", h));
    BAD(weft_types_add(h, "", 0));
    BAD(weft_types_load(h, "x"));
    BAD(weft_close(h));
    BAD(weft_poll(h, &event));
    BAD(weft_peer_open(h, "127.0.0.1:1", NULL, &made));
    BAD(weft_types_ask(h, "a.B", NULL, NULL));
    BAD(weft_session_open(h, NULL, &made));
    BAD(weft_session_state(h, &number));
    BAD(weft_session_resume(h, 1));
    BAD(weft_call(h, "a.B/C", NULL, 0, NULL, NULL));
    BAD(weft_cancel(h));
    BAD(weft_stream_open(h, "a.B/C", NULL, &made));
    BAD(weft_stream_write(h, NULL, 0));
    BAD(weft_stream_writes_done(h));
    BAD(weft_stream_finish(h));
    BAD(weft_link_open(h, "127.0.0.1:1", NULL, &made));
    BAD(weft_link_ask(h, NULL, 0, NULL, &made));
    BAD(weft_service_create(h, "a.B", NULL, &made));
    BAD(weft_reply(h, NULL, 0, NULL));
    BAD(weft_fail(h, WEFT_ABORTED, "x", NULL));
    BAD(weft_server_start(h, NULL, &made));
    BAD(weft_server_port(h, 0, &number));
    BAD(weft_server_stop(h, 0));
#undef BAD
  }
  FAILS(weft_pump(w.peer, 0, 0, NULL), WEFT_BAD_HANDLE, "is a peer");
  FAILS(weft_cancel(w.service), WEFT_BAD_HANDLE, "is a service");
  FAILS(weft_call(w.server, "a.B/C", NULL, 0, NULL, NULL), WEFT_BAD_HANDLE, "is a server");
  FAILS(weft_close(w.here), WEFT_FAILED_PRECONDITION, "a runtime is not closed");
  FAILS(weft_close(w.service), WEFT_FAILED_PRECONDITION, "is offered");
  FAILS(weft_peer_open(w.here, "nowhere", NULL, &made), WEFT_INVALID_ARGUMENT, "no address");
  FAILS(weft_peer_open(w.here, "203.0.113.1:1", NULL, &made), WEFT_INVALID_ARGUMENT, "plain text");
  FAILS(weft_peer_open(w.here, NULL, NULL, &made), WEFT_INVALID_ARGUMENT, "is NULL");
  FAILS(weft_service_create(w.here, "a.B", NULL, &made), WEFT_FAILED_PRECONDITION, "the types of a.B are not known");
  FAILS(weft_poll(w.here, NULL), WEFT_INVALID_ARGUMENT, "is NULL");
  if (workers != 0) FAILS(weft_pump(w.here, 0, 0, NULL), WEFT_FAILED_PRECONDITION, "has workers");
  if (workers == 0 && !waited_for) FAILS(weft_wake_fd(w.here, &number), WEFT_FAILED_PRECONDITION, "wake_fd is 1");
  const weft_metadata bad_key = {"grpc-x", "", 0}, no_key = {NULL, "", 0};
  weft_call_options options = {.size = sizeof options, .metadata = &bad_key, .metadata_count = 1};
  FAILS(weft_call(w.peer, "a.B/C", NULL, 0, &options, NULL), WEFT_INVALID_ARGUMENT, "grpc-x");
  options.metadata = &no_key;
  FAILS(weft_call(w.peer, "a.B/C", NULL, 0, &options, NULL), WEFT_INVALID_ARGUMENT, "a key of metadata");
  options.metadata_count = 0;
  options.request = w.peer;
  FAILS(weft_call(w.peer, "a.B/C", NULL, 0, &options, NULL), WEFT_BAD_HANDLE, "is a peer");
  const weft_handle here = w.here, peer = w.peer;
  end_world(&w);
  FAILS(weft_runtime_destroy(here), WEFT_BAD_HANDLE, "is closed");
  FAILS(weft_call(peer, "a.B/C", NULL, 0, NULL, NULL), WEFT_BAD_HANDLE, "is closed");
  FAILS(weft_poll(here, &event), WEFT_BAD_HANDLE, "is closed");
}

static void structs_have_versions(int workers) {
  weft_handle runtime = 0;
  weft_runtime_options unset = {.workers = workers};
  FAILS(weft_runtime_create(&unset, &runtime), WEFT_INVALID_ARGUMENT, "weft_runtime_options.size is 0");
  struct {
    weft_runtime_options known;
    uint64_t later;
  } newer = {{.size = sizeof newer, .workers = workers, .log = WEFT_LOG_NONE}, 0};
  OK(weft_runtime_create(&newer.known, &runtime));
  OK(weft_runtime_destroy(runtime));
  newer.later = 1;
  FAILS(weft_runtime_create(&newer.known, &runtime), WEFT_INVALID_ARGUMENT, "does not have");
  /* Only a size: what a program has that was built when there was no member yet. */
  size_t oldest = sizeof oldest;
  OK(weft_runtime_create((const weft_runtime_options *)(const void *)&oldest, &runtime));
  struct {
    size_t size;
    int32_t type;
    uint32_t canary;
  } early = {.size = sizeof(size_t) + sizeof(int32_t), .canary = 77};
  OK(weft_poll(runtime, (weft_event *)(void *)&early));
  CHECK(early.type == WEFT_EVENT_NONE && early.canary == 77);
  OK(weft_runtime_destroy(runtime));
  weft_runtime_options wrong = {.size = sizeof wrong, .workers = -1};
  FAILS(weft_runtime_create(&wrong, &runtime), WEFT_INVALID_ARGUMENT, "out of range");
  FAILS(weft_runtime_create(NULL, NULL), WEFT_INVALID_ARGUMENT, "runtime is NULL");
  CHECK(strcmp(weft_code_name(WEFT_DEADLINE_EXCEEDED), "DEADLINE_EXCEEDED") == 0);
  CHECK(strcmp(weft_code_name(WEFT_BAD_HANDLE), "BAD_HANDLE") == 0 && strcmp(weft_code_name(-3), "UNKNOWN") == 0);
  CHECK(strcmp(weft_version(), "0.1.0") == 0);
}

static void the_log_comes_as_events(int workers) {
  struct world w = {.workers = workers};
  weft_runtime_options options = {.size = sizeof options, .workers = workers, .log = WEFT_LOG_EVENTS, .wake_fd = waited_for};
  OK(weft_runtime_create(&options, &w.here));
  OK(weft_server_start(w.here, NULL, &w.server));
  weft_event line = next_here(&w);
  CHECK(line.type == WEFT_EVENT_LOG && line.code == 0);
  TEXT_HAS(line, "serving on 127.0.0.1:0");
  OK(weft_runtime_destroy(w.here));
}

static void a_pump_has_a_limit_of_events(int workers) {
  if (workers != 0) return;
  struct world w = {.workers = 0};
  w.here = make_runtime(0);
  weft_service_options options = {.size = sizeof options, .methods = methods, .methods_count = COUNT(methods)};
  OK(weft_service_create(w.here, "test.v1.Echo", &options, &w.service));
  weft_pump_report report = {.size = sizeof report};
  do OK(weft_pump(w.here, 100000, 0, &report));
  while (report.more || report.ran != 0);
  CHECK(report.left == 0);
  enum { calls = 50 };
  for (int i = 0; i < calls; ++i) OK(weft_call(w.service, "test.v1.Echo.Say", HI, NULL, NULL));
  OK(weft_pump(w.here, 100000, 7, &report));
  CHECK(report.ran == 7 && report.more == 1 && report.left >= calls - 7);
  const uint32_t left = report.left;
  OK(weft_pump(w.here, 100000, 1, &report));
  CHECK(report.ran == 1 && report.more == 1 && report.left >= left - 1);
  int asked = 0;
  for (const double late = seconds_now() + 20; asked < calls;) {
    CHECK(seconds_now() < late);
    OK(weft_pump(w.here, 100000, 7, &report));
    CHECK(report.ran <= 7);
    weft_event event = {.size = sizeof event};
    while (weft_poll(w.here, &event) == WEFT_OK && event.type == WEFT_EVENT_REQUEST) ++asked;
  }
  CHECK(report.next_timer_us >= 0 && report.next_timer_us <= 5010000); /* the deadline of a call */
  /* What an older program knows of the report is filled, and no more. */
  struct {
    size_t size;
    int32_t more;
    int32_t before;
    int64_t next_timer_us;
    uint32_t canary;
  } early = {.size = offsetof(weft_pump_report, ran), .canary = 77};
  OK(weft_pump(w.here, -1, 0, (weft_pump_report *)(void *)&early));
  CHECK(early.next_timer_us >= 0 && early.canary == 77);
  OK(weft_runtime_destroy(w.here));
}

static int readable(int fd, int milliseconds) {
  struct pollfd waited = {.fd = fd, .events = POLLIN};
  const int n = poll(&waited, 1, milliseconds);
  CHECK(n >= 0);
  return n;
}

static void a_pumped_runtime_is_waited_for(int workers) {
  if (workers != 0 || !waited_for) return;
  struct world w = {.workers = 0};
  w.here = make_runtime(0);
  weft_service_options options = {.size = sizeof options, .methods = methods, .methods_count = COUNT(methods)};
  OK(weft_service_create(w.here, "test.v1.Echo", &options, &w.service));
  int fd = -1;
  OK(weft_wake_fd(w.here, &fd));
  CHECK(readable(fd, 0) == 1); /* until the first pump */
  weft_pump_report report = {.size = sizeof report};
  do OK(weft_pump(w.here, 100000, 0, &report));
  while (report.more);
  CHECK(readable(fd, 0) == 0 && report.next_timer_us == -1);
  weft_call_options soon = {.size = sizeof soon, .deadline_ms = 200};
  OK(weft_call(w.service, "test.v1.Echo.Say", HI, &soon, NULL));
  CHECK(readable(fd, 0) == 1);
  do OK(weft_pump(w.here, 100000, 0, &report));
  while (report.more);
  CHECK(readable(fd, 0) == 1); /* there is an event */
  weft_event event = {.size = sizeof event};
  OK(weft_poll(w.here, &event));
  CHECK(event.type == WEFT_EVENT_REQUEST && readable(fd, 0) == 0);
  /* Timers do not show: they are the loop's to wait for. */
  CHECK(report.next_timer_us >= 0 && report.next_timer_us <= 210000); /* timers are rounded up, to a millisecond or so */
  CHECK(readable(fd, (int)(report.next_timer_us / 1000) + 1) == 0);
  CHECK(next_here(&w).code == WEFT_DEADLINE_EXCEEDED);
  OK(weft_runtime_destroy(w.here));
}

struct heard {
  pthread_mutex_t mutex;
  int threads, lines;
  char thread[64], line[256];
};

static void a_thread_starts(void *user, const char *name) {
  struct heard *h = user;
  pthread_mutex_lock(&h->mutex);
  ++h->threads;
  snprintf(h->thread, sizeof h->thread, "%s", name);
  pthread_mutex_unlock(&h->mutex);
}

static void a_line_is_logged(void *user, int32_t severity, const char *text) {
  struct heard *h = user;
  pthread_mutex_lock(&h->mutex);
  ++h->lines;
  snprintf(h->line, sizeof h->line, "%d %s", (int)severity, text);
  pthread_mutex_unlock(&h->mutex);
}

static void hooks_hear_of_threads_and_lines(int workers) {
  struct heard h = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  struct world w = {.workers = workers};
  weft_runtime_options options = {.size = sizeof options, .workers = workers, .wake_fd = waited_for, .hook_user = &h,
                                  .thread_start = a_thread_starts, .log_line = a_line_is_logged};
  FAILS(weft_runtime_create(&options, &w.here), WEFT_INVALID_ARGUMENT, "go together");
  options.log = WEFT_LOG_HOOK;
  OK(weft_runtime_create(&options, &w.here));
  OK(weft_server_start(w.here, NULL, &w.server));
  weft_handle link = 0;
  OK(weft_link_open(w.here, "nowhere", NULL, &link)); /* has a thread for sockets */
  CHECK(next_here(&w).about == link);
  OK(weft_runtime_destroy(w.here));
  CHECK(h.lines >= 1 && strstr(h.line, "serving on 127.0.0.1:0") != NULL && h.line[0] == '0');
  CHECK(h.threads >= 2 && strncmp(h.thread, "weft-", 5) == 0); /* the server's or the runtime's, and that for sockets */
  options.log_line = NULL;
  FAILS(weft_runtime_create(&options, &w.here), WEFT_INVALID_ARGUMENT, "go together");
}

static void a_pump_reports(int workers) {
  if (workers != 0) return;
  struct world w = make_world(0, (weft_service_options){0});
  weft_call_options options = {.size = sizeof options, .deadline_ms = 60000};
  OK(weft_call(w.here, "a.B/C", NULL, 0, NULL, NULL) == WEFT_NOT_FOUND ? WEFT_OK : WEFT_UNKNOWN);
  OK(weft_call(w.peer, "test.v1.Echo.Say", HI, &options, NULL));
  weft_event asked = next_there(&w);
  weft_pump_report report = {.size = sizeof report};
  OK(weft_pump(w.there, 1000, 0, &report));
  CHECK(report.next_timer_us > 0);
  OK(weft_reply(asked.about, NULL, 0, NULL));
  CHECK(next_here(&w).code == WEFT_OK);
  end_world(&w);
}

static void the_end_takes_all_with_it(int workers) {
  for (int i = 0; i < 5; ++i) {
    struct world w = make_world(workers, (weft_service_options){0});
    weft_handle session = 0, stream = 0, local = 0;
    OK(weft_session_open(w.peer, NULL, &session));
    weft_service_options options = {.size = sizeof options, .methods = methods, .methods_count = COUNT(methods)};
    OK(weft_service_create(w.here, "test.v1.Echo", &options, &local));
    weft_call_options endless = {.size = sizeof endless, .deadline_ms = -1}, one_way = {.size = sizeof one_way, .one_way = 1};
    for (int k = 0; k < 20; ++k) {
      OK(weft_call(w.peer, "test.v1.Echo.Say", HI, &endless, NULL));
      OK(weft_call(session, "test.v1.Echo.Say", HI, &endless, NULL));
      OK(weft_call(local, "test.v1.Echo.Say", HI, &endless, NULL));
      OK(weft_call(w.peer, "test.v1.Echo.Say", HI, &one_way, NULL));
      OK(weft_stream_open(k % 2 == 0 ? w.peer : local, "test.v1.Echo.Talk", &endless, &stream));
      OK(weft_stream_write(stream, HI));
    }
    for (int k = 0; k < i * 10; ++k) {
      next_there(&w);
      next_here(&w);
    }
    if (i % 2 == 0) {
      OK(weft_runtime_destroy(w.there));
      OK(weft_runtime_destroy(w.here));
    } else {
      end_world(&w);
    }
  }
}

#define CASE(name) {#name, name}
static const struct {
  const char *name;
  void (*run)(int workers);
} cases[] = {
    CASE(a_call_in_bytes),
    CASE(a_call_in_json),
    CASE(an_error_comes_as_it_is),
    CASE(nobody_waits_any_more),
    CASE(a_stream_both_ways),
    CASE(streams_are_bounded),
    CASE(a_stream_ends_early),
    CASE(what_is_no_json_names_the_field),
    CASE(sessions_keep_the_order_of_a_key),
    CASE(a_lane_without_gaps_stops),
    CASE(routes_and_aliases),
    CASE(tls_both_ways),
    CASE(a_server_of_another_kind),
    CASE(a_link_asks_a_gate),
    CASE(a_link_connects_again),
    CASE(commands_of_a_key_follow_each_other),
    CASE(a_link_drops_the_oldest_of_what_is_not_polled),
    CASE(misuse_is_an_error),
    CASE(structs_have_versions),
    CASE(the_log_comes_as_events),
    CASE(hooks_hear_of_threads_and_lines),
    CASE(a_pump_reports),
    CASE(a_pump_has_a_limit_of_events),
    CASE(a_pumped_runtime_is_waited_for),
    CASE(the_end_takes_all_with_it),
};

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: c_interface DESCRIPTORS CERTIFICATES ECHO_ADDRESS [CASE]\n");
    return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
  }
  descriptors = argv[1];
  certificates = argv[2];
  echo_address = argv[3];
  int ran = 0;
  for (size_t i = 0; i < COUNT(cases); ++i) {
    if (argc == 5 && strcmp(argv[4], cases[i].name) != 0) continue;
    for (int how = 0; how < 3; ++how) {
      static const char *const names[] = {"pumped", "pumped and waited for", "with a thread"};
      printf("%s, %s\n", cases[i].name, names[how]);
      fflush(stdout);
      waited_for = how == 1;
      cases[i].run(how == 2);
      ++ran;
    }
  }
  if (ran == 0) fprintf(stderr, "c_interface: no case \"%s\"\n", argv[4]);
  return ran == 0;
}
