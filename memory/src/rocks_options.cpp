#include "rocks_options.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace wherry::inline v0::memory_detail {
namespace {

constexpr int bloom_bits_per_key = 10;
constexpr int open_files_max = 256;

/// RocksDB's chatter goes nowhere: whoever merely tries to open a store that is in use, or reads beside a writer, would
/// else rotate the writer's log file. What matters comes back as a status.
class silent_logger final : public rocksdb::Logger {
 public:
  silent_logger() : rocksdb::Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(char const*, va_list) override {}
};

}  // namespace

rocksdb::DBOptions database_options(store_options const& options, rocksdb::Env* env) {
  rocksdb::DBOptions out;
  if (env) out.env = env;
  out.create_if_missing = !options.read_only && options.create_if_missing;
  out.create_missing_column_families = !options.read_only;
  out.info_log = std::make_shared<silent_logger>();
  // The default, point-in-time recovery, takes a flipped bit in the middle of the log for its end and drops synced
  // commits in silence. This mode refuses instead; that a log ends early is found by the ACK file.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  out.track_and_verify_wals_in_manifest = true;
  out.paranoid_checks = true;
  out.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  // Keys in the manifest are user data too. With every change of files it begins anew, so that an erase can be rid of
  // them; it is small, and such changes are rare.
  out.max_manifest_file_size = 1;
  out.max_background_jobs = 2;
  out.max_open_files = open_files_max;
  out.db_write_buffer_size = options.write_buffer_bytes;
  out.max_total_wal_size = options.log_bytes_max;  // else a column family that rests keeps every log alive
  out.stats_dump_period_sec = 0;                   // no thread for statistics nobody reads
  out.stats_persist_period_sec = 0;
  return out;
}

rocksdb::ColumnFamilyOptions column_family_options(store_options const& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bloom_bits_per_key));
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions out;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.write_buffer_size = options.write_buffer_bytes;
  out.compression = options.compressed ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  out.bottommost_compression = options.compressed ? rocksdb::kZSTD : rocksdb::kNoCompression;
  return out;
}

}  // namespace wherry::inline v0::memory_detail
