#include "cache_store/record.h"

namespace perigee::cache_store {

base::ReuseFacts facts_of(const format::RecordHeader& header) {
  return {.response_time_ms = header.response_time_ms,
          .initial_age_ms = header.initial_age_ms,
          .lifetime_ms = header.lifetime_ms,
          .stale_while_revalidate_ms = header.stale_while_revalidate_ms,
          .stale_if_error_ms = header.stale_if_error_ms,
          .flags = header.flags,
          .status = header.status};
}

void put_facts(const base::ReuseFacts& facts, format::RecordHeader& header) {
  header.response_time_ms = facts.response_time_ms;
  header.initial_age_ms = facts.initial_age_ms;
  header.lifetime_ms = facts.lifetime_ms;
  header.stale_while_revalidate_ms = facts.stale_while_revalidate_ms;
  header.stale_if_error_ms = facts.stale_if_error_ms;
  header.flags = facts.flags;
  header.status = facts.status;
}

}  // namespace perigee::cache_store
