import DMS
import Foundation

/// Commands that cannot reach AWS, whatever the machine's own configuration says.
enum TestAWS {
  /// Dummy keys, no configuration files, no metadata service, and a proxy that refuses for everything but loopback.
  ///
  /// The endpoint is named twice, by option and by variable: if one were lost, the other would still hold, and behind both
  /// stands the proxy on a port where nothing listens.
  static func command(executable: String = "aws", endpoint: String, timeLimit: Duration = .seconds(60)) -> AWSCommand {
    AWSCommand(
      executable: executable,
      endpointURL: endpoint,
      timeLimit: timeLimit,
      environment: environment(endpoint: endpoint)
    )
  }

  static func environment(endpoint: String) -> [String: String?] {
    let nowhere = "http://127.0.0.1:9"
    return [
      "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": nil, "AWS_PROFILE": nil,
      "AWS_DEFAULT_PROFILE": nil, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
      "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
      "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_DATABASE_MIGRATION_SERVICE": endpoint,
      "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "http_proxy": nowhere, "https_proxy": nowhere,
      "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "AWS_MAX_ATTEMPTS": "1",
    ]
  }

  static let instance = "arn:aws:dms:us-east-1:123456789012:rep:INSTANCE"
  static let source = "arn:aws:dms:us-east-1:123456789012:endpoint:SOURCE"
  static let target = "arn:aws:dms:us-east-1:123456789012:endpoint:TARGET"

  static func newTask(_ name: String, tags: [ResourceTag] = []) throws -> NewTask {
    NewTask(
      identifier: try TaskIdentifier(name),
      sourceEndpointARN: source,
      targetEndpointARN: target,
      runner: .instance(arn: instance),
      tableMappings: try Fixture.text("generated/window-between.json"),
      settings: try Fixture.text("generated/settings-plain.json"),
      tags: tags
    )
  }
}
