import DMS
import MergeEngine

/// The findings of the lint as a person or a program reads them.
struct LintOutput: Encodable {
  /// One file.
  struct Entry: Encodable {
    let file: String
    let report: LintReport

    private enum CodingKeys: String, CodingKey {
      case file, kind, findings
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(file, forKey: .file)
      try container.encode(report.kind, forKey: .kind)
      try container.encode(report.findings, forKey: .findings)
    }
  }

  let entries: [Entry]

  private enum CodingKeys: String, CodingKey {
    case entries = "files"
    case errors, warnings, notes
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(entries, forKey: .entries)
    try container.encode(count(.error), forKey: .errors)
    try container.encode(count(.warning), forKey: .warnings)
    try container.encode(count(.note), forKey: .notes)
  }

  var hasErrors: Bool { count(.error) > 0 }

  func count(_ grade: Grade) -> Int { entries.reduce(0) { $0 + $1.report.count(grade) } }

  /// Compilers' form, `file:line:column: grade: message`, so that editors can jump there, and the advice below.
  func rendered(_ style: Style, isQuiet: Bool) -> TerminalText {
    var text: TerminalText = ""
    for entry in entries {
      for finding in entry.report.findings where !isQuiet || finding.grade == .error {
        let colour: Style.Colour =
          switch finding.grade {
          case .error: .red
          case .warning: .yellow
          case .note: .faint
          }
        let grade = style.paint("\(finding.grade.rawValue)", colour)
        text += "\(entry.file):\(finding.line):\(finding.column): \(grade): \(finding.message)"
        text += " [\(finding.code.rawValue)]\n"
        text += "  at \(finding.path): \(finding.advice)\n"
      }
    }
    if isQuiet { return text }
    let names = entries.map { "\($0.file) (\($0.report.kind.rawValue))" }.joined(separator: ", ")
    let counts = [Grade.error, .warning, .note].map { Numbers.counted(count($0), $0.rawValue) }.joined(separator: ", ")
    return text + "\(names): \(counts)\n"
  }
}
