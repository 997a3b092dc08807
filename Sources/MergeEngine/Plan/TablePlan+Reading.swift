extension TablePlan {
  /// How staging is read.
  struct Reading: Sendable {
    var selection = Selection.pending
    /// The versions that are merged.
    var window = VersionWindow.unbounded
    /// Staging is in another database than production.
    var isSplit = false
    /// Tables may inherit from staging.
    var mayHaveChildren = false
    /// Where the rows come from when that is a file instead of the staging table.
    var snapshot: SnapshotTablePlan?
    /// Whether production fits into the server's memory: if not, staging is read in the order of its keys.
    var cacheFit = CacheFit.unknown
    var state = StagingState()
    /// Rows whose keys can't be production's, as far as somebody has looked for them.
    var unreadableKeys: [UInt64] = []
    /// Rows whose versions are no values of production's type, as far as somebody has looked for them.
    var unreadableVersions: [UInt64] = []
  }

  /// Which staging rows are read, by what the ledger says of them.
  enum Selection: Sendable {
    /// Those that are not merged: what a merge reads.
    case pending
    /// Those that merges have carried, but refused ones.
    case merged
    /// All but refused ones.
    case all
  }

  /// What was found of staging when it was last looked at; anew for each round of a run.
  struct StagingState: Sendable {
    /// What of it is merged.
    var coverage = Coverage()
    /// Whose rows are read, so that the ledger can say afterwards which they were; nil for whatever is there.
    var horizon: Horizon?
    /// Rows that stand refused, ascending.
    var refused: [UInt64] = []
    /// Rows that stood refused, and that a dry run reads since the next run tries them again when all else is written.
    var triedAgain: Set<UInt64> = []
    /// Those of them that wait for a unique value, and are tried only if nobody else has taken it by then.
    var triedForValues: Set<UInt64> = []
    /// How many rows stand refused for a value that others have, and are tried only if a run sets it free.
    var hopelessCount = 0
    /// Rows that were refused, and that somebody lets be: not to be compared either; ascending, where that was asked.
    var dismissed: [UInt64] = []
    /// What tells this table's content from any other's.
    var source: StagingSource?
  }
}
