import Foundation
import MergeEngine

/// What a reload did, from the check to the deleted task.
public struct ReloadReport: Sendable, Encodable {
  /// The run in `merge_summary`.
  public let runID: Int
  /// The window that was merged.
  public let from: String
  /// The first moment after it.
  public let to: String
  /// The task's name.
  public let task: String
  /// The task's ARN.
  public let taskARN: String
  /// The phases that were gone through this time; a resumed reload has only the later ones.
  public let phases: [PhaseResult]
  /// The merge; nil when an earlier attempt had finished it.
  public let merge: RunReport?
  /// Whether the verification found differences; nil when nothing was compared.
  public let differs: Bool?

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case from, to, task
    case taskARN = "task_arn"
    case phases, merge, differs
  }
}
