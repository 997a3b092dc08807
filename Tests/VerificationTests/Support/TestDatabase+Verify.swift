import Libpq
import MergeEngine

extension TestDatabase {
  /// Verifies, without a pause before the second look.
  func verify(as role: String? = nil, _ change: (inout VerifyOptions) -> Void = { _ in }) async throws -> VerifyReport {
    try await verifying(as: role, change).value
  }

  /// The same, while the test goes on.
  func verifying(
    as role: String? = nil,
    _ change: (inout VerifyOptions) -> Void = { _ in }
  ) -> Task<VerifyReport, any Error> {
    var options = VerifyOptions()
    options.recheckAfterSeconds = 0
    change(&options)
    let verifyOptions = options
    let string = role.map { connectionString.replacing("postgres", with: $0) }
    let own = target
    return Task {
      let target = try string.map { try ConnectionTarget($0) } ?? own
      let run = Verification(target: target, options: verifyOptions, logger: .silent)
      return try await onItsOwnThread { try run.run() }
    }
  }
}
