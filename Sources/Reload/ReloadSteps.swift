import DMS
import MergeEngine

/// What a reload has others do: blocking calls, each on a thread of its own.
public struct ReloadSteps: Sendable {
  /// Merges, and shows how far it is.
  public var merge: @Sendable (MergeOptions) throws -> RunReport
  /// Compares production with staging after a merge; nil to leave that out.
  public var verify: (@Sendable (MergeOptions) throws -> Verification)?

  /// Makes the documents of a task that loads these rows, by the tables' keys; nil where no row is asked for by itself.
  public var rowDocuments: (@Sendable (KeyPieces.Keys) throws -> TaskDocuments)?
  /// Makes the documents of a task that compares Oracle and production in the window; nil where nothing is validated.
  public var validationDocuments: (@Sendable (_ tables: [String], TimeWindow) throws -> TaskDocuments)?
  /// Reads what a validation task has found, looked at again in production; nil where nothing is validated.
  public var failures: (@Sendable (_ taskARN: String) throws -> ValidationReport)?

  /// What a verification says.
  public struct Verification: Sendable {
    /// Whether something differs.
    public var differs: Bool
    /// What was compared, in a few words.
    public var summary: String

    /// Makes a result.
    public init(differs: Bool, summary: String) {
      self.differs = differs
      self.summary = summary
    }
  }

  /// Makes the steps.
  public init(merge: @escaping @Sendable (MergeOptions) throws -> RunReport) { self.merge = merge }
}
