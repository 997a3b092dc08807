import DMS
import Foundation
import Testing

@Suite struct SettingsPlanTests {
  static var plans: [(name: String, plan: SettingsPlan)] {
    var limited = SettingsPlan()
    limited.lobs = .limited(kilobytes: 512)
    limited.maxFullLoadSubTasks = 16
    limited.commitRate = 50_000
    var full = SettingsPlan()
    full.lobs = .full(chunkKilobytes: 64, inlineKilobytes: 16)
    full.logSeverity = .debug
    full.validates = true
    return [("settings-plain", SettingsPlan()), ("settings-limited-lobs", limited), ("settings-full-lobs", full)]
  }

  @Test func generatedSettingsAreTheGoldenFiles() throws {
    for (name, plan) in Self.plans {
      let document = try plan.settings().document()
      #expect(document == (try Fixture.expected("generated/\(name).json", insteadOf: document)))
    }
  }

  @Test func generatedSettingsHaveNoErrorsAndTheirWarningsStandBesideThem() throws {
    for (name, plan) in Self.plans {
      let report = DocumentLint.lint(try plan.settings().document())
      #expect(report.kind == .settings)
      #expect(!report.hasErrors, "\(name): \(report.summary)")
      #expect(report.summary == (try Fixture.expected("generated/\(name).expected.txt", insteadOf: report.summary)))
    }
  }

  @Test func plainSettingsHaveNothingToBeSaidAbout() throws {
    #expect(DocumentLint.lint(try SettingsPlan().settings().document()).findings == [])
  }

  @Test func generatedSettingsComeBackFromTheirText() throws {
    for (_, plan) in Self.plans {
      let settings = try plan.settings()
      #expect(try JSONDecoder().decode(TaskSettings.self, from: Data(settings.document().utf8)) == settings)
    }
  }

  @Test func settingsAsTheServiceDescribesThemHaveOneMistakeForANewTask() throws {
    let report = DocumentLint.lint(try Fixture.bytes("described/settings.json"))
    let errors = report.findings.filter { $0.grade == .error }
    #expect(errors.map(\.code) == [.cloudWatchSetOnCreate, .cloudWatchSetOnCreate])
    #expect(report.summary == (try Fixture.expected("described/settings.expected.txt", insteadOf: report.summary)))
  }

  @Test func nothingIsSkippedInSilenceAndStagingKeepsItsTables() throws {
    let settings = try SettingsPlan().settings()
    #expect(settings.fullLoadSettings.targetTablePrepMode == .doNothing)
    #expect(settings.errorBehavior.dataErrorPolicy == .stopTask)
    #expect(settings.errorBehavior.dataTruncationErrorPolicy == .stopTask)
    #expect(settings.errorBehavior.tableErrorPolicy == .stopTask)
    #expect(settings.errorBehavior.failOnNoTablesCaptured)
    #expect(settings.logging.enableLogging)
  }

  @Test func sizesThatDMSDoesNotTakeAreRefused() {
    let changes: [@Sendable (inout SettingsPlan) -> Void] = [
      { $0.maxFullLoadSubTasks = 0 }, { $0.maxFullLoadSubTasks = 50 }, { $0.commitRate = 50_001 },
      { $0.lobs = .limited(kilobytes: 0) }, { $0.lobs = .full(chunkKilobytes: 0, inlineKilobytes: 0) },
      { $0.loadMaxFileSizeKilobytes = -1 },
    ]
    for change in changes {
      var plan = SettingsPlan()
      change(&plan)
      #expect(throws: DocumentError.self) { try plan.settings() }
    }
  }
}
