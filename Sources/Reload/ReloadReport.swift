import DMS
import Foundation
import MergeEngine

/// What a reload did, from the check to the deleted task.
package struct ReloadReport: Sendable, Encodable {
  /// The run in `merge_summary`.
  package let runID: Int
  /// The window that was merged; nil where single rows were.
  package let from: String?
  /// The first moment after it.
  package let to: String?
  /// The task's name.
  package let task: String
  /// The task's ARN.
  package let taskARN: String
  /// The phases that were gone through this time; a resumed reload has only the later ones.
  package let phases: [PhaseResult]
  /// The merge; nil when an earlier attempt had finished it.
  package let merge: RunReport?
  /// Whether the verification found differences; nil when nothing was compared.
  package let differs: Bool?
  /// What became of the rows that DMS found to differ; nil where a window was loaded.
  package let failures: AskedRows.Outcome?
  /// What DMS found when it compared Oracle and production; nil where it was not asked to.
  package let validation: Validation?

  /// A validation by DMS.
  package struct Validation: Sendable, Encodable {
    /// The task's name.
    package let task: String
    /// The task's ARN.
    package let taskARN: String
    /// What it found, by table.
    package let mismatches: [ValidationVerdict.Mismatch]
    /// How many of these rows differ still, as far as can be seen.
    package let open: Int

    private enum CodingKeys: String, CodingKey {
      case task, mismatches, open
      case taskARN = "task_arn"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case from, to, task
    case taskARN = "task_arn"
    case phases, merge, differs, failures, validation
  }
}
