import Foundation
import Libpq

/// Waits for the end of merges of which nobody knows yet that they were killed.
public enum MergesUnderWay {
  /// Servers may need a moment to notice that a killed merge is gone: then the next one would be refused rightly.
  public static func waitForTheirEnd(on targets: [ConnectionTarget]) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if targets.allSatisfy(isFree) { return }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private static func isFree(_ target: ConnectionTarget) -> Bool {
    let isFree = try? Connection(to: target, applicationName: "torture") { _ in }
      .query(
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'merge-engine control')",
        "looking for merges"
      ).bool(0, 0)
    return isFree == true
  }
}
