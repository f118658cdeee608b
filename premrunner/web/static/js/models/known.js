/** Files of which a model was made before: it is shown, and they may become another one. */
export class Known {
  /**
   * @param {{name: string, alias: string}[]} models made of the same content
   * @param {{importAgain: () => Promise, dismiss: () => Promise}} choices what the buttons do
   */
  constructor(arrival, [model], { importAgain, dismiss }) {
    const { view } = arrival;
    this.importAgain = () => {
      view.links("");
      return importAgain();
    };
    this.dismiss = dismiss;
    view.form.hidden = true;
    view.progress(null);
    view.stage("");
    view.tag("Here already", "good");
    view.what(`This is here already, as the model ${model.name}. Nothing more is needed to use it.`);
    view.links(model.alias);
    view.actions("importAgain", "dismiss");
    arrival.page.say(`${arrival.name} is here already, as the model ${model.name}.`);
  }
}
