// One response on its way out of an HTTP/1 connection: its framing, its head, and its body, pulled
// into the queue while there is room, copied when small and lent when large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "http/exchange/codec.h"
#include "http/exchange/exchange.h"
#include "http/h1/framing.h"

namespace perigee::http {

/// One for each connection, used by its responses in turn. Loop-local.
class ResponseSender {
 public:
  /// How a response ended.
  enum class Ending : uint8_t {
    kWhole,
    kCut,  ///< the rest will not come; what is queued is right
    kBad,  ///< so, and what is queued must not leave
  };
  /// Told of the end, perhaps inside begin_body(), pull() or a flush; must not destroy the sender.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_response_end(Ending ending) = 0;
  };

  ResponseSender(const CodecContext& context, Listener& listener)
      : context_(context), listener_(listener) {}

  /// Chooses how the response to `request` ends. False: only the end of the connection can say it.
  bool choose_framing(const RequestHead& request, const ResponseHead& head, bool has_body);
  /// False: a byte stands in the head where none may, and nothing was written.
  [[nodiscard]] bool write_head(const RequestHead& request, const ResponseHead& head,
                                bool keep_alive);
  /// `body` (null: none) lives until the end.
  void begin_body(BodySource* body);
  /// Moves the body on as far as the queue lets it. True: something was moved.
  bool pull();
  /// A body is being sent.
  bool sending() const { return body_ != nullptr; }
  /// Bytes of content that left so far.
  uint64_t sent() const { return sent_; }
  /// See ServerCodec.
  void rest() {
    if (body_ != nullptr) body_->rest();
  }
  /// The connection is gone: forgets the body and what was lent of it.
  void cancel();

 private:
  /// Stands before the body in the queue, so that the sender knows what the channel took.
  class Lender final : public BodySource {
   public:
    explicit Lender(ResponseSender& sender) : sender_(sender) {}
    Chunk peek(size_t) override { return {}; }
    void advance(size_t n) override { sender_.on_taken(n); }
    std::optional<uint64_t> size() const override { return std::nullopt; }

   private:
    ResponseSender& sender_;
  };

  void copy_piece(const base::Piece& piece);
  void on_taken(size_t n);
  void count(size_t n);
  void end_body();
  void end(Ending ending);

  const CodecContext& context_;
  Listener& listener_;
  Lender lender_{*this};
  BodySource* body_ = nullptr;
  Framing framing_ = Framing::kNone;
  uint64_t left_ = 0;  ///< of a declared length
  uint64_t sent_ = 0;
  bool last_lent_ = false;  ///< the piece being sent is the last
  size_t lent_ = 0;         ///< its bytes not taken yet
};

}  // namespace perigee::http
