import ArgumentParser
import DMS

/// How AWS is reached: through the `aws` command, whose credentials, profiles and environment count.
struct AWSOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Region of the replication instance; passed to aws.", valueName: "name"))
  var region: String?

  @Option(help: ArgumentHelp("Profile with the credentials; passed to aws.", valueName: "name"))
  var profile: String?

  @Option(help: ArgumentHelp("Another address of the DMS service; passed to aws.", valueName: "url"))
  var endpointURL: String?

  /// The service, flags before the configuration file.
  func service(_ section: DMSConfiguration) -> DMSService {
    DMSService(
      command: AWSCommand(
        endpointURL: endpointURL ?? section.endpointURL,
        region: region ?? section.region,
        profile: profile ?? section.profile
      )
    )
  }
}
