// Part of every program that uses weft::rpc in a build with ThreadSanitizer.
//
// gRPC and what it uses are not instrumented: what they synchronise by atomics is invisible, so ThreadSanitizer would
// report their own calls of memcpy, free or epoll_wait. Only such calls are passed over; weft's own accesses are all
// checked, and tags are annotated where they enter and leave gRPC.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libgrpc.so\n"
         "called_from_lib:libgrpc++.so\n"
         "called_from_lib:libgpr.so\n"
         "called_from_lib:libabsl_synchronization.so\n"
         "called_from_lib:libabsl_status.so\n"
         "called_from_lib:libabsl_strings.so\n"
         "called_from_lib:libabsl_cord.so\n"
         "called_from_lib:libabsl_cord_internal.so\n"
         "called_from_lib:libabsl_time.so\n"
         "called_from_lib:libabsl_time_zone.so\n"
         "called_from_lib:libabsl_random_internal_pool_urbg.so\n"
         "called_from_lib:libcrypto.so\n"
         "called_from_lib:libssl.so\n"
         "called_from_lib:libz.so\n"
         "race:grpc::internal::\n";  // its header code, instantiated here
}
