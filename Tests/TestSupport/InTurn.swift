import Testing

/// Has every test of a suite take its turn in the lane of those that compute: for tests with processes of their own.
public struct InTurn: SuiteTrait, TestTrait, TestScoping {
  /// The turns are those of the tests, not of the suite as a whole.
  public var isRecursive: Bool { true }

  /// Runs a test in its turn.
  public func provideScope(
    for test: Test,
    testCase: Test.Case?,
    performing function: @Sendable () async throws -> Void
  ) async throws {
    try await Lane.working.turn { try await function() }
  }
}

extension Trait where Self == InTurn {
  /// See ``InTurn``.
  public static var inTurn: Self { InTurn() }
}
