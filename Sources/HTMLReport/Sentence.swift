import MergeEngine

/// What a run came to, in a sentence or two.
enum Sentence {
  static func about(_ run: StoredRun) -> String {
    let totals = run.totals
    let read = Numbers.grouped(totals.read)
    switch RunStatus(rawValue: run.status) {
    case .success: return "\(Numbers.counted(totals.read, "staging row")) read; the server refused none."
    case .partial:
      return "The server refused \(Numbers.grouped(totals.errors)) of \(read) staging rows; they are quarantined with "
        + "their reason, and all others are merged."
    case .failed, .aborted:
      return
        "The run stopped after \(read) staging rows. What its batches had committed stays, and the same command goes "
        + "on from there. \(run.notes ?? "")"
    case .running:
      return "The run was still going when this page was made: its figures are those up to then. Make the report again "
        + "when the run is at an end."
    case .loading: return "The load into staging was still going when this page was made; nothing is merged yet."
    case nil where run.isUnderWay:
      return
        "The run was being rolled back when this page was made: rows that it had merged are going back to what they "
        + "were. Make the report again when the rollback is at an end. \(run.notes ?? "")"
    case nil: return run.notes ?? "The status is one that this version of merge-engine does not know."
    }
  }
}
