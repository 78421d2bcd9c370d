#pragma once
// What "committed" means. A header of its own, so that those who only name it need not include the store.

namespace wherry::inline v0 {

/// What "committed" means when commit returns.
enum class durability {
  synced,  ///< On the disk: survives the machine losing power, on a disk that honours fsync.
  os,      ///< With the operating system: survives the process dying, not the machine.
};

}  // namespace wherry::inline v0
