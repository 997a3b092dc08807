/// What ``Merger/initialise(_:)`` did for one production table.
public struct InitialisedTable: Sendable, Hashable {
  /// What became of its staging table.
  public enum Outcome: Sendable, Hashable {
    /// It was made.
    case created
    /// It gained columns.
    case extended
    /// It was complete already.
    case present
    /// The production table can't be merged, or the server refused the staging table.
    case skipped
  }

  /// The plain table name.
  public let table: String
  /// What became of its staging table.
  public let outcome: Outcome
  /// What exactly, or why not, in English.
  public let explanation: String

  init(_ report: StagingSetup.TableReport) {
    table = report.table
    outcome =
      switch report.action {
      case .created: .created
      case .extended: .extended
      case .present: .present
      case .skipped: .skipped
      }
    explanation = LibraryWords.text(report.note)
  }
}
