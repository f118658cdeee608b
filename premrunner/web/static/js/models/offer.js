import { remember } from "../upload/memory.js";
import { sha256Of } from "../upload/sha256.js";
import { begin, giveUp } from "../upload/upload.js";
import { ProspectForm } from "./prospect_form.js";

/** What was found in files, and the choices before they are sent. */
export class Offer {
  constructor(arrival, findings, terms) {
    Object.assign(this, { arrival, findings, form: new ProspectForm(arrival.view.form, findings, terms) });
    const { view } = arrival;
    const draw = () => {
      view.figures(this.form.figures);
      view.notes([...findings.warnings, this.form.memoryWarning].filter(Boolean));
    };
    view.form.dataset.action = "start";
    this.form.open({ name: arrival.name }, draw);
    view.tag("Not sent yet");
    view.what(this.form.title);
    view.actions("import", "dismiss");
    draw();
    arrival.page.say(`${arrival.name}: ${this.form.title}. It can be imported.`);
  }

  async start(isWantedAgain = false) {
    const { arrival, findings } = this;
    const { name, options } = this.form;
    arrival.view.tag("Comparing");
    const record = await begin(name, findings.files, await sha256Of(findings.files));
    if (record.sameModels.length && !isWantedAgain) {
      await giveUp(record.modelId);
      return arrival.recognise(record.sameModels, { importAgain: () => this.start(true), dismiss: () => this.dismiss() });
    }
    arrival.name = name;
    remember(record.modelId, { print: arrival.print, name, options, kind: findings.kind });
    arrival.view.form.hidden = true;
    arrival.view.notes([]);
    await arrival.send(record, findings.files);
  }

  dismiss() {
    this.arrival.page.remove(this.arrival);
  }
}
