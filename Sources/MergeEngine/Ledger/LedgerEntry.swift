/// One row of `merge_progress`: what a transaction that merged rows, or had them read again, says of them.
struct LedgerEntry: Sendable {
  /// What is said.
  enum Content: Sendable {
    /// The rows of a place, or of the whole table where there is none, that the horizon has seen and whose version lies
    /// in the window are merged.
    case merged(TupleRange?, Horizon, VersionWindow)
    /// The rows whose keys lie in a stretch, that the horizon has seen and whose version lies in the window are merged.
    case mergedKeys(KeyRange, Horizon, VersionWindow)
    /// The rows at these addresses are to be read again.
    case reopened([UInt64])
    /// The rows at these addresses, which were to be read again, have been, as far as the horizon has seen them and their version lies
    /// in the window: they are merged.
    case settled([UInt64], Horizon, VersionWindow)
  }

  /// Later entries have higher ones.
  let id: Int
  let runID: Int
  let content: Content
  /// The transaction that marked the rows in staging, if that was done.
  var marker: Int?

  /// The same of rows of all versions.
  var unbounded: LedgerEntry {
    let everything: Content =
      switch content {
      case .merged(let place, let horizon, _): .merged(place, horizon, .unbounded)
      case .mergedKeys(let keys, let horizon, _): .mergedKeys(keys, horizon, .unbounded)
      case .settled(let addresses, let horizon, _): .settled(addresses, horizon, .unbounded)
      case .reopened: content
      }
    return LedgerEntry(id: id, runID: runID, content: everything, marker: marker)
  }
}
