// Stages of a run for a command: in this process on one session, or a process each; what each is and how it failed.

import { doWork, type WorkStage } from '../eval/pipeline.ts';
import { duration, runStages } from '../eval/stages.ts';
import type { Session } from '../link/session.ts';
import { ExitError, reportError } from './errors.ts';
import { describeSession, openWork, type SessionConfig } from './open-work.ts';
import { showWork } from './show-work.ts';
import { commandLine, type PresetSource, runIsolated } from './stage-commands.ts';

/** Does stages; those of several runs may share one session. */
export class StageRunner {
  readonly #config: SessionConfig;
  readonly #source: PresetSource;
  readonly #isIsolated: boolean;
  #session: Promise<Session> | null = null;

  constructor(config: SessionConfig, source: PresetSource, isIsolated: boolean) {
    this.#config = config;
    this.#source = source;
    this.#isIsolated = isIsolated;
  }

  /** Opens the session, where there is to be one: what is missing or damaged is said before anything is written. */
  async open(profile = false): Promise<void> {
    if (this.#isIsolated || this.#session) return;
    this.#session = openWork(this.#config, { profile });
    describeSession(await this.#session);
  }

  /**
   * Does the stages of the run in `folder`. Prints each as the command that would do it alone. Throws ExitError for a stage
   * that fails, having said why.
   */
  run(folder: string, stages: readonly WorkStage[], resume: boolean): Promise<{ [name: string]: number }> {
    const hooks = showWork();
    return runStages(folder, stages, resume, {
      run: async (stage, resume) => {
        console.log(`\n$ ${commandLine(stage.work, this.#source)}${resume ? ' --resume' : ''}`);
        try {
          if (this.#isIsolated) await runIsolated(stage, this.#source, resume);
          else await doWork(stage.work, () => this.#opened(), { ...hooks, resume });
        } catch (error) {
          const code = reportError(error);
          console.error(`${stage.name}: failed, exit code ${code}`);
          throw new ExitError(code);
        }
      },
      onFinished: ({ name }, seconds) => console.log(`\n${name}: finished before, in ${duration(seconds)}`),
    });
  }

  /** The session, where one was opened. */
  async session(): Promise<Session | null> {
    return this.#session;
  }

  async close(): Promise<void> {
    const opened = await this.#session;
    opened?.close();
    this.#session = null;
  }

  async #opened(): Promise<Session> {
    await this.open();
    return this.#session!;
  }
}
