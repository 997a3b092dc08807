import ArgumentParser

/// Where staging is, if not beside production.
struct StagingDatabaseOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Staging is in this database instead of --database: a libpq URI or keyword string.",
      valueName: "url"
    )
  )
  var stagingDatabase: String?
}
