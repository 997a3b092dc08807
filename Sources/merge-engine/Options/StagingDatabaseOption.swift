import ArgumentParser

/// Where staging is, if not beside production.
struct StagingDatabaseOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The database that staging is in, if not --database: a libpq URI or keyword string.",
      valueName: "url"
    )
  )
  var stagingDatabase: String?
}
