// The ablations for a command: listed as commands, or filled with the experiments' output on the way.

import { type CellResults, listAblations, runAblations } from '../eval/ablation/ablations.ts';
import type { AblationOptions } from '../eval/ablation/cells.ts';
import { ExitError } from './errors.ts';
import { print, printError } from './output.ts';
import type { StageRunner } from './run-stages.ts';
import { commandLine, type PresetSource } from './stage-commands.ts';

/** The commands that would fill what is not finished. */
export async function ablationLines(options: AblationOptions, source: PresetSource): Promise<string[]> {
  const cells = await listAblations(options);
  return cells.flatMap(({ name, isFinished, shared, stages }) => {
    if (isFinished) return [`# ${name}: finished`];
    const taken = shared?.experts.map((kind) => `# ${kind} expert: that of ${shared.from}`) ?? [];
    return [`# ${name}`, ...taken, ...stages.map(({ work }) => commandLine(work, source))];
  });
}

/** Fills them and returns all finished cells. Throws ExitError for a stage that fails. */
export async function fillAblations(options: AblationOptions, runner: StageRunner): Promise<CellResults> {
  try {
    return await runAblations(options, {
      run: (folder, stages) => runner.run(folder, stages, { resume: true, together: false }),
      onCell: (name) => print(`\n== ${name}`),
    });
  } catch (error) {
    if (error instanceof ExitError) printError('the same command goes on from there');
    throw error;
  }
}
