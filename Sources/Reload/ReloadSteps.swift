import DMS
import MergeEngine

/// What a reload has others do: blocking calls, each on a thread of its own.
package struct ReloadSteps: Sendable {
  /// Merges, and shows how far it is.
  package var merge: @Sendable (MergeOptions) throws -> RunReport
  /// Compares production with staging after a merge; nil to leave that out.
  package var verify: (@Sendable (MergeOptions) throws -> Verification)?

  /// Makes the documents of a task that loads these rows, by the tables' keys; nil where no row is asked for by itself.
  package var rowDocuments: (@Sendable (KeyPieces.Keys) throws -> TaskDocuments)?
  /// Makes the documents of a task that compares Oracle and production in the window; nil where nothing is validated.
  package var validationDocuments: (@Sendable (_ tables: [String], TimeWindow) throws -> TaskDocuments)?
  /// Reads what a validation task has found, looked at again in production; nil where nothing is validated.
  package var failures: (@Sendable (_ taskARN: String) throws -> ValidationReport)?

  /// What a verification says.
  package struct Verification: Sendable {
    /// Whether something differs.
    package var differs: Bool
    /// What was compared, in a few words.
    package var summary: String

    /// Makes a result.
    package init(differs: Bool, summary: String) {
      self.differs = differs
      self.summary = summary
    }
  }

  /// Makes the steps.
  package init(merge: @escaping @Sendable (MergeOptions) throws -> RunReport) { self.merge = merge }
}
