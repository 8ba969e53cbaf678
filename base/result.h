// Operating errors as values: a Result holds what was asked for or the Error that prevented it.
//
// GCC 12 has no std::expected; this is the part of it that Perigee needs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace perigee::base {

/// What went wrong, in the words of the layer that met it.
enum class ErrorCode : uint8_t {
  kInvalid,      ///< the input cannot mean anything: configuration, a malformed file
  kNotFound,     ///< nothing is there under that name
  kForbidden,    ///< it is there, and may not be had
  kNoSpace,      ///< disk, memory budget or table is full
  kIo,           ///< the operating system refused; `os_error` says why
  kCorrupt,      ///< bytes on disk are not what was written
  kResolve,      ///< a name could not be resolved
  kConnect,      ///< no connection: refused, unreachable, reset
  kTls,          ///< handshake or certificate failure
  kTimeout,      ///< a deadline passed
  kCancelled,    ///< nobody waits for it any more, or the process stops
  kUnsupported,  ///< this system lacks what is needed
};

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  int os_error = 0;     ///< errno where the operating system said no, else 0
  std::string message;  ///< one sentence for a person, without a trailing full stop
};

/// Either a T or an Error. Reading the one that is not there is a bug (CHECK).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
struct Done {};
using Status = Result<Done>;

}  // namespace perigee::base
