/// Findings while a document is being looked through.
struct FindingList {
  private(set) var findings: [Finding] = []

  /// Adds a finding at a place.
  ///
  /// - Parameters:
  ///   - message: what is wrong and why; no full stop at the end.
  ///   - advice: what to write instead; no full stop at the end.
  mutating func add(_ code: LintCode, at place: Cursor, _ message: String, advice: String) {
    let finding = Finding(
      code: code,
      grade: code.grade,
      path: place.path,
      line: place.position.line,
      column: place.position.column,
      message: message,
      advice: advice
    )
    if !findings.contains(finding) { findings.append(finding) }
  }

  /// Adds the findings of a document that stands within this one, all at its place.
  mutating func add(_ report: LintReport, at place: Cursor) {
    for inner in report.findings {
      let finding = Finding(
        code: inner.code,
        grade: inner.grade,
        path: place.path + inner.path.dropFirst(),
        line: place.position.line,
        column: place.position.column,
        message: inner.message,
        advice: inner.advice
      )
      if !findings.contains(finding) { findings.append(finding) }
    }
  }

  /// The findings in the order of the file; at one place errors first.
  var sorted: [Finding] {
    findings.enumerated().sorted { first, second in
      let one = (first.element.line, first.element.column, first.element.grade, first.offset)
      return one < (second.element.line, second.element.column, second.element.grade, second.offset)
    }
    .map(\.element)
  }
}
