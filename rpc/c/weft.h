/* weft for C, and for every language that can call C: calls by name over gRPC, streams, sessions, and services that are
 * written in the host's language.
 *
 *   weft_runtime_options options = {.size = sizeof options};         // no threads: weft_pump does the work
 *   weft_handle runtime, chat, call;
 *   weft_runtime_create(&options, &runtime);
 *   weft_peer_open(runtime, "127.0.0.1:7000", NULL, &chat);
 *   weft_call(chat, "lobby.v1.Chat/Say", bytes, size, NULL, &call);
 *   for (;;) {                                                       // once a frame
 *     weft_pump(runtime, 2000, 0, NULL);
 *     weft_event event = {.size = sizeof event};
 *     while (weft_poll(runtime, &event) == WEFT_OK && event.type != WEFT_EVENT_NONE)
 *       if (event.type == WEFT_EVENT_REPLY && event.about == call) ...  // event.code, event.data, event.text
 *   }
 *
 * Everything follows these rules; what a function adds to them stands beside it.
 *
 * Results   A function returns a weft_code, WEFT_OK or why it did nothing; weft_last_error() has the text. What takes time
 *           is reported by an event, once: a function that failed leads to none. Nothing calls back but the two hooks of
 *           weft_runtime_options, for those who set them. None throws, and none ends the process because of what it was
 *           given, as long as pointers and sizes are right.
 * Handles   Numbers below 2^53, never used twice; 0 is none. One that is closed, of another kind or made up is
 *           WEFT_BAD_HANDLE. Calls, streams, links and requests close themselves when their last event is polled (requests also
 *           when they are answered); the rest is closed by weft_close, and all by weft_runtime_destroy.
 * Threads   Any function on any thread at any time, except those that are marked
 *           "runtime's thread": one thread at a time, which is the one that pumps where there are no workers. They may block.
 * Memory    What is passed in is copied. What an event points at lives until the next weft_poll of that runtime.
 *           Strings end with a NUL, which their sizes do not count.
 * Structs   Their first member is `size_t size`: set it to sizeof, all else to zero; zero is a member's default. A program
 *           that was built for an older weft works with a newer one; the reverse is WEFT_INVALID_ARGUMENT if it uses what
 *           is not there yet.
 * Text      UTF-8. Methods are named "package.Service/Method", "package.Service.Method" or, with an alias, "alias.Method".
 * Fork      A child may only exec. weft's descriptors are close-on-exec.
 */
#ifndef WEFT_H
#define WEFT_H

/* NOLINTBEGIN(modernize-*): it is C. */
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
extern "C" {
#endif

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

typedef uint64_t weft_handle;

/* gRPC's codes, by its numbers, and one of weft's own. */
typedef enum weft_code {
  WEFT_OK = 0,
  WEFT_CANCELLED = 1,
  WEFT_UNKNOWN = 2,
  WEFT_INVALID_ARGUMENT = 3,
  WEFT_DEADLINE_EXCEEDED = 4,
  WEFT_NOT_FOUND = 5,
  WEFT_ALREADY_EXISTS = 6,
  WEFT_PERMISSION_DENIED = 7,
  WEFT_RESOURCE_EXHAUSTED = 8,
  WEFT_FAILED_PRECONDITION = 9,
  WEFT_ABORTED = 10,
  WEFT_OUT_OF_RANGE = 11,
  WEFT_UNIMPLEMENTED = 12,
  WEFT_INTERNAL = 13,
  WEFT_UNAVAILABLE = 14,
  WEFT_DATA_LOSS = 15,
  WEFT_UNAUTHENTICATED = 16,
  WEFT_BAD_HANDLE = 100 /* closed, of another kind, or never one */
} weft_code;

/* A pair that travels beside messages. Keys: lower-case letters, digits, '_', '-', '.'; values: printable ASCII, or any
 * bytes where the key ends in "-bin". */
typedef struct weft_metadata {
  const char *key;
  const char *value;
  size_t value_size;
} weft_metadata;

/* How messages are passed: as they are on the wire, or as protobuf's JSON (weft_types_add, weft_types_ask). */
typedef enum weft_format { WEFT_BYTES = 0, WEFT_JSON = 1 } weft_format;

/* "0.1.0" */
WEFT_API const char *weft_version(void);
/* "NOT_FOUND"; "UNKNOWN" for a number that is none. */
WEFT_API const char *weft_code_name(int code);
/* Why the last function that failed on this thread did; "" when none has. Lives until the next that fails here. */
WEFT_API const char *weft_last_error(void);

/* ---- runtimes ------------------------------------------------------------------------------------------------------- */

typedef enum weft_log {
  WEFT_LOG_STDERR = 0,
  WEFT_LOG_EVENTS = 1, /* WEFT_EVENT_LOG; the oldest 1,024 that were not polled are kept, and who is missing is counted */
  WEFT_LOG_NONE = 2,
  WEFT_LOG_HOOK = 3 /* weft_runtime_options.log_line */
} weft_log;

typedef struct weft_runtime_options {
  size_t size;
  int32_t workers; /* threads; 0: none, weft_pump does the work (gRPC has a few of its own, which run nothing of yours) */
  int32_t log;     /* weft_log */
  int32_t wake_fd; /* 1: without workers too there is a descriptor to wait for, weft_wake_fd; a thread then waits for gRPC */
  void *hook_user; /* what the hooks get */
  /* Hooks are called on other threads, several at a time; also while the runtime is made and destroyed. They soon return, call no
   * function of weft's, and nothing jumps or throws out of them. Not for LuaJIT's callbacks. */
  void (*thread_start)(void *user, const char *name); /* on each thread of weft's, first: "weft-worker". Names, pins, ... */
  void (*log_line)(void *user, int32_t severity, const char *text); /* with WEFT_LOG_HOOK: as WEFT_EVENT_LOG has them */
} weft_runtime_options;

/* Makes a runtime; any number may exist, one after the other or side by side. `options` may be NULL. The calling thread
 * is the runtime's thread for now. */
WEFT_API int weft_runtime_create(const weft_runtime_options *options, weft_handle *runtime);

/* Ends it: all that was made from it is closed, calls are cancelled, threads have ended on return. Events that were not
 * polled are gone. Runtime's thread; blocks while calls wind up, some milliseconds; for a link whose gate does not close its side a
 * second at most. */
WEFT_API int weft_runtime_destroy(weft_handle runtime);

typedef struct weft_pump_report {
  size_t size;
  int32_t more;          /* work is left: pump again soon */
  int64_t next_timer_us; /* when the next timer is due, from now; -1: no timer runs */
  uint32_t ran;          /* as max_events counts */
  uint32_t left;         /* what is known to wait for the next pump, counted up to 1,024; what gRPC has ready is not known */
} weft_pump_report;

/* Does the work of a runtime without workers until `budget_us` microseconds are used up, `max_events` entries and completions have
 * run (0: as many as there is time for), or nothing is left. Never blocks; overruns the budget by at most one entry. What is left
 * is for the next pump, in order. `report` may be NULL. Runtime's thread.
 * FAILED_PRECONDITION: the runtime has workers, or another thread pumps or closes it now. */
WEFT_API int weft_pump(weft_handle runtime, int64_t budget_us, uint32_t max_events, weft_pump_report *report);

/* A descriptor for poll(2) and the like, readable while there are events to poll; without workers also while weft_pump has something
 * to do, but for timers: wait until the last pump's `next_timer_us` at most. Do not read it, or close it; it lives as long as the
 * runtime. FAILED_PRECONDITION: no workers, and weft_runtime_options.wake_fd was not set. */
WEFT_API int weft_wake_fd(weft_handle runtime, int *fd);

/* `name` stands for `service` in all method names: weft_alias(runtime, "chat", "lobby.v1.Chat"). */
WEFT_API int weft_alias(weft_handle runtime, const char *name, const char *service);

/* Calls of `service` that are made through the runtime's handle go to `to`, a peer, a session or a service, from now on. */
WEFT_API int weft_route(weft_handle runtime, const char *service, weft_handle to);

/* Types for JSON: a FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it. Files that are known
 * are skipped. INVALID_ARGUMENT: the bytes are none, or a file is wrong, which is named. */
WEFT_API int weft_types_add(weft_handle runtime, const void *descriptors, size_t size);
/* The same from a file. */
WEFT_API int weft_types_load(weft_handle runtime, const char *file);

/* Closes a peer, a session, a service or a server. Runtime's thread; blocks until handlers of a service, or offers of a
 * session, are let go of. A server ends as by weft_server_stop(server, 0). FAILED_PRECONDITION: a service that a running
 * server or a session offers; a call, a stream, a request or a runtime, which end in other ways. */
WEFT_API int weft_close(weft_handle handle);

/* ---- events --------------------------------------------------------------------------------------------------------- */

typedef enum weft_event_type {
  WEFT_EVENT_NONE = 0,
  /* A call, or a command of a link, has ended. code, text, details, data (the reply), headers, trailers, may_have_run. Its last. */
  WEFT_EVENT_REPLY = 1,
  /* What came before a stream's first message, if it is not empty: headers. */
  WEFT_EVENT_STREAM_HEADERS = 2,
  /* A message of a stream, or of a request that streams: data. Of a link: what its gate says without being asked; code is
   * WEFT_DATA_LOSS if others before it had to go. */
  WEFT_EVENT_STREAM_MESSAGE = 3,
  /* The other side of a request that streams has written its last message. */
  WEFT_EVENT_STREAM_DONE = 4,
  /* A stream, or a request that streams, takes messages again, after weft_stream_write was RESOURCE_EXHAUSTED. */
  WEFT_EVENT_STREAM_WRITABLE = 5,
  /* A stream or a link has ended. code, text, details, trailers. Its last. */
  WEFT_EVENT_STREAM_END = 6,
  /* A service of this program is called. service, method, data (unless it streams), headers, peer, identity, time_left_us,
   * streams. Answer by weft_reply or weft_fail. */
  WEFT_EVENT_REQUEST = 7,
  /* Nobody waits for this request any more: its caller has gone, its time is over, or its service has ended. Its last. */
  WEFT_EVENT_REQUEST_CANCELLED = 8,
  /* A line of weft's log: text; code is 0 for information, 1 for a warning, 2 for an error. */
  WEFT_EVENT_LOG = 9,
  /* A link is connected, and its greeting was answered: data. Again each time that the connection was made again. */
  WEFT_EVENT_LINK_OPEN = 10,
  /* A link is not connected, and is made again by itself: code, text. Once after each WEFT_EVENT_LINK_OPEN, and once before the
   * first if the first attempt failed. */
  WEFT_EVENT_LINK_LOST = 11
} weft_event_type;

typedef struct weft_event {
  size_t size;
  int32_t type; /* weft_event_type */
  int32_t code;
  weft_handle about; /* the call, stream or request */
  weft_handle service;
  uint64_t user; /* as said in the options of what it is about; of a request: of its service */
  const char *text;
  size_t text_size;
  const char *data; /* a message; JSON ends with a NUL too */
  size_t data_size;
  const char *details; /* google.rpc.Status, as gRPC's rich errors have it */
  size_t details_size;
  const char *method;           /* "/lobby.v1.Chat/Say" */
  const weft_metadata *headers; /* of a request: what its caller sent along */
  size_t headers_count;
  const weft_metadata *trailers;
  size_t trailers_count;
  const char *peer;     /* who calls, as gRPC writes it: "ipv4:127.0.0.1:40312" */
  const char *identity; /* who that was found to be; "" when nobody asked */
  int64_t time_left_us; /* -1: no deadline */
  int32_t streams;
  int32_t may_have_run; /* of a call that failed: 0 if the method surely did not run */
} weft_event;

/* Takes the next event; its type is WEFT_EVENT_NONE when there is none. Never blocks, does no work. One thread at a time:
 * FAILED_PRECONDITION when two meet. */
WEFT_API int weft_poll(weft_handle runtime, weft_event *event);

/* ---- peers and sessions --------------------------------------------------------------------------------------------- */

typedef struct weft_peer_options {
  size_t size;
  const weft_metadata *metadata; /* sent with every call */
  size_t metadata_count;
  int32_t connections;           /* 0: one */
  int32_t plain_text_on_network; /* without TLS only this machine can be called, unless this is 1 */
  int32_t tls;                   /* 1: TLS, with the files (PEM) below; each may be NULL */
  int32_t keepalive_ms;          /* 0: 20,000; negative: none */
  const char *tls_authorities;   /* NULL: the system's */
  const char *tls_certificate;   /* the client's own, with its key, for servers that ask for one (mTLS) */
  const char *tls_key;
  const char *tls_server_name; /* NULL: as in the address */
} weft_peer_options;

/* Where remote calls go: "127.0.0.1:7000", "unix:/run/chat.sock". Connects when it is first called, and again when that
 * breaks. INVALID_ARGUMENT: the address, an option or a file is wrong. */
WEFT_API int weft_peer_open(weft_handle runtime, const char *address, const weft_peer_options *options, weft_handle *peer);

/* What a peer's reflection says about `service` becomes known, for JSON. Ends with a WEFT_EVENT_REPLY: UNIMPLEMENTED when it
 * has none, NOT_FOUND when it does not know the service. `options` as those of weft_call: its deadline and user. */
struct weft_call_options;
WEFT_API int weft_types_ask(weft_handle peer, const char *service, const struct weft_call_options *options,
                            weft_handle *call);

typedef struct weft_session_options {
  size_t size;
  const weft_handle *services; /* what the server may call over the session */
  size_t services_count;
  uint32_t waiting;        /* calls that wait for room; 0: 65,536 */
  int32_t resend_on_break; /* 1: calls with a key that were not sent when the connection broke are sent later */
  int32_t no_fallback;     /* 1: a server without sessions is an error; otherwise it gets unary calls */
} weft_session_options;

/* Many calls on one stream, several times cheaper than one by one, and in order by key: see weft_call_options. */
WEFT_API int weft_session_open(weft_handle peer, const weft_session_options *options, weft_handle *session);

typedef enum weft_session_state_is {
  WEFT_SESSION_IDLE = 0,
  WEFT_SESSION_CONNECTING = 1,
  WEFT_SESSION_OPEN = 2,
  WEFT_SESSION_BACKING_OFF = 3,
  WEFT_SESSION_UNARY = 4,
  WEFT_SESSION_CLOSED = 5
} weft_session_state_is;
/* As of a moment ago. */
WEFT_API int weft_session_state(weft_handle session, int *state);
/* The order of a key without gaps begins anew. */
WEFT_API int weft_session_resume(weft_handle session, uint64_t key);

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

typedef struct weft_call_options {
  size_t size;
  uint64_t user;       /* comes back in its events */
  int64_t deadline_ms; /* 0: 5,000; negative: none */
  const weft_metadata *metadata;
  size_t metadata_count;
  int32_t format;         /* weft_format, of the request and the reply */
  int32_t wait_for_ready; /* 1: while the peer cannot be reached it waits, instead of failing with UNAVAILABLE */
  int32_t one_way;        /* 1: no event tells how it ended */
  int32_t gapless;        /* with a key: the first call that does not run stops those behind it, until weft_session_resume */
  uint64_t key;           /* over a session: calls of one key reach their service in the order in which they were made; 0: none */
  weft_handle request;    /* made on behalf of this request: whose deadline holds for it too, and whose end cancels it */
  uint32_t read_ahead;    /* of a stream: messages that wait to be polled; 0: 16 */
  uint32_t write_ahead;   /* of a stream: messages that wait to be sent; 0: 64 */
} weft_call_options;

/* Calls a method. `to`: a peer; a session; a service of this program; a request that came over a session, whose caller is
 * called back; a runtime, which has routes. `call` may be NULL. Ends with one WEFT_EVENT_REPLY (none if it is one way).
 * INVALID_ARGUMENT: the name, or JSON, which names the field. FAILED_PRECONDITION: JSON, and the type is not known.
 * NOT_FOUND: no route. */
WEFT_API int weft_call(weft_handle to, const char *method, const void *request, size_t request_size,
                       const weft_call_options *options, weft_handle *call);

/* Ends a call or a stream: its last event is CANCELLED, unless it had ended before. The handler is stopped. */
WEFT_API int weft_cancel(weft_handle call_or_stream);

/* Begins a call of a method that streams, of whatever kind; a single request or reply is a stream of one. Its messages are
 * events as they come, at most `read_ahead` of them; then one WEFT_EVENT_STREAM_END. The deadline is that of the whole call. */
WEFT_API int weft_stream_open(weft_handle to, const char *method, const weft_call_options *options, weft_handle *stream);

/* Sends a message on a stream, or on a request that streams. RESOURCE_EXHAUSTED: `write_ahead` of them wait, this one was not
 * taken, and WEFT_EVENT_STREAM_WRITABLE tells when to go on. FAILED_PRECONDITION: after weft_stream_writes_done.
 * INVALID_ARGUMENT: JSON. */
WEFT_API int weft_stream_write(weft_handle stream, const void *message, size_t size);
/* That was the last message of a stream; replies go on. */
WEFT_API int weft_stream_writes_done(weft_handle stream);
/* The same, and replies that were not polled are dropped: what is left is to know how it ended. */
WEFT_API int weft_stream_finish(weft_handle stream);

/* ---- links ---------------------------------------------------------------------------------------------------------- */

typedef struct weft_link_options {
  size_t size;
  uint64_t user;
  const char *sent_type; /* commands are JSON of these types: "lobby.v1.ClientMessage"; NULL: bytes */
  const char *received_type;
  uint32_t connect_ms;  /* each attempt; 0: 5,000 */
  uint32_t read_ahead;  /* messages that wait to be polled; of more the oldest goes; 0: 1,024 */
  uint32_t write_ahead; /* commands without an answer; one more is RESOURCE_EXHAUSTED; 0: 256 */
  uint32_t greet_ms;    /* how long the answer to the greeting may take; 0: 5,000 */
  const void *greeting; /* the first command of each connection, which logs in; nothing else goes out before its answer. NULL: none */
  size_t greeting_size;
  uint32_t first_wait_ms;   /* between two attempts, doubled each time, half of it random; 0: 100 */
  uint32_t longest_wait_ms; /* 0: 5,000 */
} weft_link_options;

/* A player's link to a gate: over TCP, without gRPC, by the protocol of runtime/link/README.md. The connection is made again
 * whenever it breaks: WEFT_EVENT_LINK_OPEN and WEFT_EVENT_LINK_LOST tell, WEFT_EVENT_STREAM_MESSAGE is what the gate says without being
 * asked. weft_cancel ends it, after what was sent is out. Its last event is WEFT_EVENT_STREAM_END: CANCELLED; INVALID_ARGUMENT (the
 * address is none like "127.0.0.1:7000"; names are not looked up); INTERNAL (a message is no received_type; it names the field); what
 * the greeting was refused with, unless that passes (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED). The first link of a
 * runtime starts a thread for sockets, which runs nothing of yours.
 * FAILED_PRECONDITION: a type is not known. INVALID_ARGUMENT: the greeting, as JSON. */
WEFT_API int weft_link_open(weft_handle runtime, const char *address, const weft_link_options *options, weft_handle *link);

/* Sends a command with the next number; ends with one WEFT_EVENT_REPLY (none if it is one way), which has the message that answers
 * it, or the gate's error; DEADLINE_EXCEEDED; UNAVAILABLE (the connection broke after it was sent, or the link has ended: look at
 * may_have_run; it is not sent again); RESOURCE_EXHAUSTED. While the link is not connected commands wait, within their time.
 * Of the options count: user, deadline_ms, one_way, and key: commands of one key follow each other, each goes out when the one before
 * it was answered; those of different keys, and of none, overlap. `call` may be NULL; weft_cancel gives a command up.
 * INVALID_ARGUMENT: JSON, which names the field. */
WEFT_API int weft_link_ask(weft_handle link, const void *command, size_t size, const weft_call_options *options,
                           weft_handle *call);

/* ---- services ------------------------------------------------------------------------------------------------------- */

typedef enum weft_method_kind {
  WEFT_METHOD_UNARY = 0,
  WEFT_METHOD_CLIENT_STREAM = 1,
  WEFT_METHOD_SERVER_STREAM = 2,
  WEFT_METHOD_BIDI_STREAM = 3
} weft_method_kind;

typedef struct weft_method {
  const char *name; /* "Say" */
  int32_t kind;     /* weft_method_kind */
} weft_method;

typedef struct weft_service_options {
  size_t size;
  uint64_t user;
  const weft_method *methods; /* NULL: those that the types (weft_types_add) have */
  size_t methods_count;
  int32_t format;    /* weft_format, of requests and replies */
  int32_t exclusive; /* 1: one request at a time, in order of arrival */
  uint32_t running;  /* requests in progress; further ones wait; 0: 1,024 */
  uint32_t waiting;  /* requests that wait; one more is RESOURCE_EXHAUSTED; 0: 1,024 */
  uint32_t read_ahead;
  uint32_t write_ahead; /* both as in weft_call_options, of requests that stream */
} weft_service_options;

/* A service whose requests are this program's to answer. FAILED_PRECONDITION: no methods were said and no types know it. */
WEFT_API int weft_service_create(weft_handle runtime, const char *name, const weft_service_options *options,
                                 weft_handle *service);

typedef struct weft_reply_options {
  size_t size;
  const weft_metadata *headers; /* before the reply; of a stream nothing any more, if it has replied */
  size_t headers_count;
  const weft_metadata *trailers;
  size_t trailers_count;
  const void *details; /* of an error: google.rpc.Status */
  size_t details_size;
} weft_reply_options;

/* Answers a request; its handle is closed. One that streams ends with OK: `reply` is sent before, unless it is NULL.
 * CANCELLED: nobody waits for it any more (a WEFT_EVENT_REQUEST_CANCELLED comes, or is there). INVALID_ARGUMENT: JSON, or
 * metadata that cannot be sent; the request is still to be answered. */
WEFT_API int weft_reply(weft_handle request, const void *reply, size_t reply_size, const weft_reply_options *options);
/* Answers a request with an error; `code` is one of gRPC's from 1 to 16. */
WEFT_API int weft_fail(weft_handle request, int code, const char *text, const weft_reply_options *options);

typedef struct weft_server_options {
  size_t size;
  const char *const *addresses; /* "127.0.0.1:7000", port 0 takes a free one; NULL: "127.0.0.1:0" */
  size_t addresses_count;
  const weft_handle *services;
  size_t services_count;
  int32_t plain_text_on_network; /* without TLS only this machine is served, unless this is 1 */
  uint32_t running;              /* calls in progress; 0: 20,000 */
  const char *tls_certificate;   /* TLS: the server's certificate and key, files in PEM */
  const char *tls_key;
  const char *tls_client_authorities; /* mTLS: by whom clients' certificates must be signed */
  uint32_t request_bytes;             /* a larger request fails; 0: 4 MiB */
} weft_server_options;

/* Serves: ordinary gRPC, for clients in any language, and sessions. One server a runtime, once. Runtime's thread.
 * UNAVAILABLE: an address is taken. INVALID_ARGUMENT: an address, an option or a file. FAILED_PRECONDITION: there was one. */
WEFT_API int weft_server_start(weft_handle runtime, const weft_server_options *options, weft_handle *server);
/* The port of the n-th address. */
WEFT_API int weft_server_port(weft_handle server, size_t n, int *port);
/* Accepts nothing new, lets requests finish for `grace_ms`, cancels the rest, and closes the server. Runtime's thread, which
 * it blocks: requests are answered meanwhile by other threads, or not at all. */
WEFT_API int weft_server_stop(weft_handle server, int64_t grace_ms);

#if defined(__cplusplus)
}
#endif

/* NOLINTEND(modernize-*) */
#endif /* WEFT_H */
