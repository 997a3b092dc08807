import MergeEngine

/// What a run came to, in a sentence or two.
enum Sentence {
  static func about(_ run: StoredRun) -> String {
    let totals = run.totals
    let read = Numbers.grouped(totals.read)
    switch RunStatus(rawValue: run.status) {
    case .success: return "\(Numbers.counted(totals.read, "staging row")) read; the server refused none."
    case .partial where totals.errors == 0:
      return "\(Numbers.counted(totals.read, "staging row")) read; the server refused none of them, but rows that "
        + "earlier runs had refused still stood."
    case .partial:
      let others = totals.errors < totals.read ? ", and all others are merged." : "."
      return "The server refused \(Numbers.grouped(totals.errors)) of \(read) staging rows; they are quarantined with "
        + "their reason\(others)"
    case .failed, .aborted:
      return
        "The run stopped after \(read) staging rows. What its batches committed stays, and the same command continues "
        + "from there. \(run.notes ?? "")"
    case .running:
      return "The run was still going when this page was made, and its figures end there. Make the report again "
        + "when the run has ended."
    case .loading: return "The load into staging was still going when this page was made; nothing is merged yet."
    case nil where run.isUnderWay:
      return
        "The run was being rolled back when this page was made: the rows it had merged were going back to what they "
        + "were. Make the report again when the rollback has ended. \(run.notes ?? "")"
    case nil: return run.notes ?? "This version of merge-engine does not know the run's status."
    }
  }
}
