import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * Flink SQL scripts, each a job that is named after its file, in a local cluster with the configuration of a folder.
 *
 * <p>Arguments: the folder with config.yaml; then for each script the seconds after which its job is cancelled, and the script.
 * Statements are separated by empty lines. Run as a source file: {@code java -cp 'lib/*' RunScripts.java ...}
 */
public class RunScripts {
  public static void main(String[] arguments) throws Exception {
    for (int at = 1; at < arguments.length; at += 2) {
      runScript(arguments[0], Integer.parseInt(arguments[at]), Path.of(arguments[at + 1]));
    }
    System.exit(0);
  }

  private static void runScript(String folder, int seconds, Path script) throws Exception {
    Configuration configuration = GlobalConfiguration.loadConfiguration(folder);
    configuration.set(PipelineOptions.NAME, script.getFileName().toString().replace(".sql", ""));
    StreamTableEnvironment tables =
        StreamTableEnvironment.create(StreamExecutionEnvironment.createLocalEnvironment(1, configuration));
    for (String statement : Files.readString(script).split("\n\n")) {
      TableResult result = tables.executeSql(statement.strip());
      if (result.getJobClient().isPresent()) {
        waitForEnd(script, result.getJobClient().get(), seconds);
      }
    }
  }

  private static void waitForEnd(Path script, JobClient job, int seconds) throws Exception {
    try {
      job.getJobExecutionResult().get(seconds, TimeUnit.SECONDS);
      System.err.println(script + " has ended");
    } catch (TimeoutException goesOn) {
      job.cancel().get();
      System.err.println(script + " was cancelled");
    } catch (Exception failure) {
      System.err.println(script + " failed: " + failure);
    }
    Thread.sleep(5000); // its last event is sent by another thread
  }
}
