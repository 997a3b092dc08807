extension Finding {
  /// What is the matter and what to do, a sentence each, in English, with options named as the library names them.
  public var explanation: String { LibraryWords.text(message) }
}

extension RunReport {
  /// Why tables failed, in English; empty when none did.
  public var failureExplanations: [String] { failures.map(LibraryWords.text) }
  /// What should be known besides the findings, though it stopped nothing, in English.
  public var notes: [String] { warnings.map(LibraryWords.text) }
}

extension RepairReport {
  /// Why it failed, in English; empty when it did not.
  public var failureExplanations: [String] { failures.map(LibraryWords.text) }
}

extension RollbackReport {
  /// Why tables failed, in English; empty when none did.
  public var failureExplanations: [String] { failures.map(LibraryWords.text) }
  /// What should be known though it stopped nothing, and what of the run stays, in English.
  public var notes: [String] { (warnings + [remainder].compactMap(\.self)).map(LibraryWords.text) }
}
