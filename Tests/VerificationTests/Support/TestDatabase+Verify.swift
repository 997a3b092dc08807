import MergeEngine

extension TestDatabase {
  /// Verifies, without a pause before the second look.
  func verify(_ change: (inout VerifyOptions) -> Void = { _ in }) async throws -> VerifyReport {
    try await verifying(change).value
  }

  /// The same, while the test goes on.
  func verifying(_ change: (inout VerifyOptions) -> Void = { _ in }) -> Task<VerifyReport, any Error> {
    var options = VerifyOptions()
    options.recheckAfterSeconds = 0
    change(&options)
    let run = Verification(target: target, options: options, logger: .silent)
    return Task { try await onItsOwnThread { try run.run() } }
  }
}
