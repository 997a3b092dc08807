import DMS
import Testing

@Suite struct LintRuleTests {
  @Test func everyRuleHasAFixtureFolderOfItsName() throws {
    #expect(try Fixture.names(in: "lint") == LintCode.allCases.map(\.rawValue).sorted())
  }

  @Test(arguments: LintCode.allCases)
  func theBadDocumentOfARuleYieldsExactlyItsExpectedFindings(_ code: LintCode) throws {
    let folder = "lint/\(code.rawValue)"
    let schema = try Fixture.schema("\(folder)/bad.schema.json")
    let report = DocumentLint.lint(try Fixture.bytes("\(folder)/bad.json"), schema: schema)
    #expect(report.findings.contains { $0.code == code })
    #expect(report.summary == (try Fixture.expected("\(folder)/bad.expected.txt", insteadOf: report.summary)))
  }

  @Test(arguments: LintCode.allCases)
  func theGoodDocumentOfARuleYieldsNoFindingOfItAndNoError(_ code: LintCode) throws {
    let folder = "lint/\(code.rawValue)"
    let schema = try Fixture.schema("\(folder)/good.schema.json")
    let report = DocumentLint.lint(try Fixture.bytes("\(folder)/good.json"), schema: schema)
    #expect(!report.findings.contains { $0.code == code }, "\(report.summary)")
    #expect(!report.hasErrors, "\(report.summary)")
  }

  @Test(arguments: LintCode.allCases)
  func everyFindingSaysWhereWhatAndWhatToDo(_ code: LintCode) throws {
    let folder = "lint/\(code.rawValue)"
    let schema = try Fixture.schema("\(folder)/bad.schema.json")
    for finding in DocumentLint.lint(try Fixture.bytes("\(folder)/bad.json"), schema: schema).findings {
      #expect(finding.line > 0 && finding.column > 0)
      #expect(finding.path.hasPrefix("$"))
      #expect(finding.grade == finding.code.grade)
      #expect(!finding.message.isEmpty && !finding.message.hasSuffix("."))
      #expect(!finding.advice.isEmpty && !finding.advice.hasSuffix("."))
    }
  }
}
