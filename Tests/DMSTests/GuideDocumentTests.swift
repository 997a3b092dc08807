import DMS
import Testing

/// The guide's own two files, word for word; the numbers are those of the list of its defects.
@Suite struct GuideDocumentTests {
  private func lint(_ name: String) throws -> LintReport { DocumentLint.lint(try Fixture.bytes("guide/\(name).json")) }

  private let mapping = "oracle-pg-time-window-mapping"
  private let settings = "oracle-pg-task-settings"

  @Test func defect2TheWindowThatDoesNotFilterIsAnErrorForBothTables() throws {
    let paths = try lint(mapping).findings.filter { $0.code == .windowJoinedByOr && $0.grade == .error }.map(\.path)
    #expect(paths == ["$.rules[0].filters[0].filter-conditions", "$.rules[1].filters[0].filter-conditions"])
  }

  @Test func defect3TheActionThatDMSDoesNotHaveIsAnErrorThatNamesTheRightOne() throws {
    let findings = try lint(mapping).findings.filter { $0.code == .unknownRuleAction }
    #expect(findings.map(\.path) == ["$.rules[2].rule-action", "$.rules[3].rule-action"])
    #expect(findings.allSatisfy { $0.grade == .error && $0.advice.contains("change-data-type") })
  }

  @Test func defect3NothingLowerCasesTablesAndColumns() throws {
    let findings = try lint(mapping).findings.filter { $0.code == .missingLowerCase }
    #expect(findings.count == 2)
    #expect(findings.contains { $0.message.contains("table names") })
    #expect(findings.contains { $0.message.contains("column names") })
  }

  @Test func defect4OracleSettingsAndTheirTwoWrongKeysAreErrors() throws {
    let report = try lint(settings)
    #expect(report.findings.contains { $0.code == .endpointSettingsInTaskSettings && $0.path == "$.OracleSettings" })
    let misspelt = report.findings.filter { $0.code == .misspeltEndpointSetting }
    #expect(
      misspelt.contains {
        $0.path == "$.OracleSettings.NumberDataTypeScale" && $0.advice.contains("NumberDatatypeScale")
      }
    )
    #expect(misspelt.contains { $0.path == "$.OracleSettings.SecurityDbEncryption" })
  }

  @Test(arguments: ["oracle-pg-time-window-mapping", "oracle-pg-task-settings"])
  func everythingThatIsSaidAboutTheGuidesFilesStandsBesideThem(_ name: String) throws {
    let said = try lint(name).findings.map { "\($0)\n" }.joined()
    #expect(said == (try Fixture.expected("guide/\(name).expected.txt", insteadOf: said)))
  }
}
