// A request that is answered by a fill: one that it began, or one that others wait for too.
#pragma once

#include <memory>
#include <optional>

#include "base/env.h"
#include "edge/lookup.h"
#include "http/content_range.h"
#include "http/response.h"
#include "origin/fill_reader.h"
#include "origin/fills.h"

namespace perigee::edge {

class Waiting;

class Filled final : public origin::FillWaiter {
 public:
  explicit Filled(Waiting& waiting) : waiting_(waiting) {}

  /// Joins a fill or begins one, to validate what `lookup` found or to fetch what it did not find.
  void begin(const Route& route, Lookup& lookup);

  // FillWaiter
  const http::RequestHead& fill_head() const override;
  void on_fill_interim(const http::ResponseHead& interim) override;
  void on_fill_head(std::shared_ptr<origin::Fill> fill, bool own) override;
  void on_fill_stored() override;
  void on_fill_released() override;
  void on_fill_failed(const origin::FetchError& error) override;

 private:
  std::optional<http::FirstWanted> wanted_part(const origin::FillRequest& request) const;
  /// Why the fill is there, as Cache-Status tells it.
  http::CacheStatus forwarded() const;
  Lookup look_again(const Route& now) const;
  void find_coding(Lookup& stored);
  /// Of the body that is sent, where it is known.
  std::optional<uint64_t> body_size() const;
  void answer(const http::StoredResponse& response, const http::Selection& part,
              std::optional<int64_t> age_s, const http::CacheStatus& cache);
  /// The origin has been silent for as long as the site allows: a stale copy may answer.
  void on_slow();

  Waiting& waiting_;
  bool hit_for_miss_ = false;  ///< alone, since what this key gave before could not be shared
  std::shared_ptr<origin::Fill> fill_;  ///< whose head has come
  /// That it began: where the response cannot answer yet, it may meet it again as it is put.
  std::weak_ptr<origin::Fill> began_;
  base::Timer slow_timer_{[this] { on_slow(); }};
  /// Instead of the fill's body: it is sent, or the identity is decoded from it.
  std::optional<cache_store::RecordView> coded_;
  bool decodes_ = false;
  std::optional<origin::FillReader> reader_;
};

}  // namespace perigee::edge
