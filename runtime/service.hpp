#pragma once
// Services, whole: the class, calls of it from this process, and tickets.
#include <weft/runtime/local_call.hpp>
#include <weft/runtime/service_class.hpp>
#include <weft/runtime/ticket.hpp>
