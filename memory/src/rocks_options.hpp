#pragma once
// RocksDB's settings, with the reason beside each that is not plain.

#include <wherry/memory/store.hpp>

#include <rocksdb/options.h>

namespace wherry::inline v0::memory_detail {

rocksdb::DBOptions database_options(store_options const& options, rocksdb::Env* env);
/// All column families share one block cache through the table factory, so call this once per store.
rocksdb::ColumnFamilyOptions column_family_options(store_options const& options);

}  // namespace wherry::inline v0::memory_detail
