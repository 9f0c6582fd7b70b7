// train FOLDER RATE BATCH EPOCHS SAMPLES INPUTS TARGETS: trains what `model.export_training(FOLDER,
// target_dtype="float32")` has written, and leaves the state there. INPUTS and TARGETS are files of
// the numbers of SAMPLES samples, as float32. A model that draws noise, such as dropout, is refused.
#include <onnxruntime_cxx_api.h>
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}
int main(int count, char** given) try {
  if (count != 8) throw std::runtime_error("FOLDER RATE BATCH EPOCHS SAMPLES INPUTS TARGETS");
  const std::string folder = std::string(given[1]) + "/", next = "next/";
  const long batch = std::stol(given[3]), epochs = std::stol(given[4]), samples = std::stol(given[5]);
  const std::string stored = read(folder + "state.safetensors"), files[] = {read(given[6]), read(given[7])};
  uint64_t length = *(const uint64_t*)stored.data();  // of the header, which is JSON
  std::string header = stored.substr(8, length), numbers = stored.substr(8 + length);
  const size_t counter = header.find("\\\"steps\\\": ") + 11;
  long steps = std::stol(header.substr(counter));
  const auto offset = [&](const std::string& name) {  // of the numbers of a state; -1: in no file
    const size_t entry = header.find('"' + name + "\":"), at = header.find("\"data_offsets\":[", entry);
    return entry == std::string::npos ? -1L : std::stol(header.substr(at + 16));
  };
  const Ort::AllocatorWithDefaultOptions memory;
  const Ort::Env env;
  Ort::Session session(env, (folder + "train.onnx").c_str(), Ort::SessionOptions{});
  const auto tensor = [&](std::vector<int64_t> shape, const void* from) {  // zeros from nullptr
    std::replace_if(shape.begin(), shape.end(), [](int64_t size) { return size < 0; }, batch);
    Ort::Value made = Ort::Value::CreateTensor<float>(memory, shape.data(), shape.size());
    const size_t size = 4 * made.GetTensorTypeAndShapeInfo().GetElementCount();
    from ? memcpy(made.GetTensorMutableRawData(), from, size) : memset(made.GetTensorMutableRawData(), 0, size);
    return made;
  };
  std::vector<std::string> outputs, data;  // names
  std::map<std::string, std::vector<int64_t>> shapes, sums;
  std::map<std::string, Ort::Value> state;
  for (size_t i = 0; i < session.GetOutputCount(); i++)
    outputs.push_back(session.GetOutputNameAllocated(i, memory).get());
  for (size_t i = 0; i < session.GetInputCount(); i++) {
    const std::string name = session.GetInputNameAllocated(i, memory).get();
    shapes[name] = session.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
    if (offset(name) >= 0) state.emplace(name, tensor(shapes[name], &numbers[offset(name)]));
    else if (std::count(outputs.begin(), outputs.end(), next + name)) sums[name] = shapes[name];
    else if (name != "learning_rate" && name != "step") data.push_back(name);
  }
  if (data.size() != 2) throw std::runtime_error("takes an input and targets, not also " + data[1]);
  for (long epoch = 0; epoch < epochs; epoch++) {
    double loss = 0;
    for (const auto& [name, shape] : sums) state.insert_or_assign(name, tensor(shape, nullptr));
    for (long batches = 0; batches < samples / batch; batches++) {
      Ort::IoBinding run(session);
      const float rate = std::stof(given[2]), step = ++steps;
      run.BindInput("learning_rate", tensor({}, &rate)), run.BindInput("step", tensor({}, &step));
      for (int i : {0, 1}) {
        const char* rows = &files[i][batches * batch * (files[i].size() / samples)];
        run.BindInput(data[i].c_str(), tensor(shapes[data[i]], rows));
      }
      for (const auto& [name, value] : state) run.BindInput(name.c_str(), value);
      for (const auto& name : outputs) run.BindOutput(name.c_str(), memory.GetInfo());
      session.Run(Ort::RunOptions{}, run);
      std::vector<Ort::Value> made = run.GetOutputValues();
      for (size_t i = 0; i < made.size(); i++)
        if (outputs[i] == "loss") loss += *made[i].GetTensorData<float>();
        else state.insert_or_assign(outputs[i].substr(next.size()), std::move(made[i]));
    }
    std::cout << loss / (samples / batch) << std::endl;
  }
  for (const auto& [name, value] : state)
    if (const size_t size = 4 * value.GetTensorTypeAndShapeInfo().GetElementCount(); offset(name) >= 0)
      memcpy(&numbers[offset(name)], value.GetTensorRawData(), size);
  header.replace(counter, header.find_first_not_of("0123456789", counter) - counter, std::to_string(steps));
  length = header.size();
  std::ofstream(folder + "state.safetensors", std::ios::binary).write((char*)&length, 8) << header << numbers;
} catch (const std::exception& error) { return std::cerr << "train: " << error.what() << std::endl, 1; }
